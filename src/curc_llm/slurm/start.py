"""Start: when Slurm expects a job to begin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curc_llm.errors import SlurmSilentError
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.job import parse_time
from curc_llm.slurm.request import JobRequest

# Slurm 22.05 to 25: "Job 1 to start at 2026-11-21T12:33:11 using 6 processors on nodes n1 in partition al40"
_TEST_ONLY = re.compile(
    r"Job \d+ to start at (?P<at>\S+) (?:a )?using \d+ processors on (?:nodes )?(?P<nodes>\S+)"
)


@dataclass(frozen=True)
class ExpectedStart:
    """When a job would begin if it were submitted now.

    Args:
        at: Unix time; None: Slurm can't tell.
        nodes: where, as Slurm writes it.
    """

    at: float | None = None
    nodes: str = ""


def parse_test_only(text: str) -> ExpectedStart:
    """What `sbatch --test-only` says; nothing is known where it says something else.

    Example:
        >>> parse_test_only("sbatch: Job 1 to start at 1795264750 using 6 processors on nodes tn1")
        ExpectedStart(at=1795264750.0, nodes='tn1')
    """
    found = _TEST_ONLY.search(text)
    return ExpectedStart(parse_time(found["at"]), found["nodes"]) if found else ExpectedStart()


def expect_start(slurm: Slurm, request: JobRequest) -> ExpectedStart:
    """Asks when a job would begin, without submitting it.

    Raises:
        SlurmError: the job would be refused.
    """
    try:
        return parse_test_only(slurm.test(request, "#!/bin/sh\nexit 0\n"))
    except SlurmSilentError:
        return ExpectedStart()
