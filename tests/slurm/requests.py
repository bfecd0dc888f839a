"""Requests that tests start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curc_llm.slurm.request import JobRequest

SCRIPT = "#!/bin/bash\nexec sleep 600\n"


def ask_for(**changes: Any) -> JobRequest:
    """One L40 for an hour, as CURC's job filter wants it, with changes."""
    usual: dict[str, Any] = {
        "job_name": "curc-llm-test",
        "partition": "al40",
        "qos": "gpu-normal",
        "gres_type": "l40",
        "gpus_per_node": 1,
        "cpus_per_task": 2,
        "memory_gib": 4,
        "time_s": 3600,
        "output": Path("/dev/null"),
    }
    return JobRequest(**usual | changes)
