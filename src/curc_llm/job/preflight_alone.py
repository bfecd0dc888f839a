"""`python -P -m curc_llm.job.preflight_alone FOLDER`: a job that looks at its nodes and does nothing else.

Reads FOLDER/request.json and writes FOLDER/report.json; see `launch/preflight_job.py`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from curc_llm.job.preflight import StepSize, look_at_nodes
from curc_llm.launch.preflight_job import REPORT, REQUEST, AloneRequest
from curc_llm.session.files import write_private


def main(arguments: list[str]) -> int:
    """Looks, and writes what it saw; exit status 0 when all nodes could be looked at."""
    folder = Path(arguments[0])
    asked = AloneRequest.model_validate_json((folder / REQUEST).read_bytes())
    size = StepSize(asked.num_nodes, asked.cpus_per_task, asked.gres)
    report = asyncio.run(look_at_nodes(asked.nodes, size, folder / "preflight.json"))
    write_private(folder / REPORT, report.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
