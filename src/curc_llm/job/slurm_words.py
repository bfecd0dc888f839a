"""What Slurm does to a job: it says so in the job's output before it sends a signal."""

from __future__ import annotations

import os
import re
from pathlib import Path

TAIL_BYTES = 4096
# slurmstepd: error: *** JOB 12 ON tn1 CANCELLED AT 2026-11-21T14:47:03 DUE TO TIME LIMIT ***
# (slurmd/slurmstepd/req.c; the words after DUE TO are TIME LIMIT, PREEMPTION, JOB REQUEUE or NODE FAILURE)
_CANCELLED = re.compile(
    r"\*\*\* JOB (?P<job>\d+) ON \S+ CANCELLED AT \S+(?: DUE TO (?P<why>[A-Z ]+?))?(?:,[^*]*)? \*\*\*"
)


def parse_cause(text: str, job_id: str) -> str:
    """Why Slurm ends a job: `TIME LIMIT`, `PREEMPTION`, `JOB REQUEUE`, `NODE FAILURE`; else empty.

    Args:
        text: the end of the job's output.
        job_id: whose words count.

    Example:
        >>> parse_cause("*** JOB 7 ON n CANCELLED AT 2026-11-21T14:47:03 DUE TO PREEMPTION ***", "7")
        'PREEMPTION'
    """
    found = [m for m in _CANCELLED.finditer(text) if m["job"] == job_id]
    return (found[-1]["why"] or "") if found else ""


def read_cause(job_id: str, descriptor: int = 2) -> str:
    """The same from the end of this process's own output, where that is a file; empty where it isn't.

    Args:
        job_id: this job's.
        descriptor: where the job's output goes.
    """
    try:
        with Path(f"/proc/self/fd/{descriptor}").resolve(strict=True).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            return parse_cause(file.read().decode(errors="replace"), job_id)
    except OSError:
        return ""
