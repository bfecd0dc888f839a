"""Start: when Slurm expects a job to begin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curc_llm.errors import NodesDownError, SlurmError, SlurmSilentError
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.job import parse_time
from curc_llm.slurm.refusals_slurm import NO_SUCH_NODE
from curc_llm.slurm.request import JobRequest

MOST_NAMED = 4

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
        NodesDownError: none of the nodes that are up could run it, and others are down or drained.
        SlurmError: the job would be refused.
    """
    try:
        return parse_test_only(slurm.test(request, "#!/bin/sh\nexit 0\n"))
    except SlurmSilentError:
        return ExpectedStart()
    except SlurmError as error:
        down = list_down_nodes(slurm, request.partition) if error.message == NO_SUCH_NODE else []
        if not down:
            raise
        raise NodesDownError(*explain_down(request.partition, down)) from error


def list_down_nodes(slurm: Slurm, partition: str) -> list[str]:
    """Nodes of a partition that take no jobs now, as far as Slurm tells.

    Args:
        slurm: Slurm's commands.
        partition: its name; empty: Slurm's default, of which nothing is said.
    """
    if not partition:
        return []
    options = ["--noheader", "--Node", f"--partition={partition}", "--states=down,drain,fail", "--format=%N"]
    try:
        return sorted(set(slurm.query("sinfo", *options).split()))
    except SlurmError:
        return []


def explain_down(partition: str, nodes: list[str]) -> tuple[str, str]:
    """That nodes are away, and what to do.

    Example:
        >>> explain_down("capella", ["c1"])[0]
        'The nodes of capella that are up could not run it; down or drained: c1.'
    """
    named = ", ".join(nodes[:MOST_NAMED]) + (
        f" and {len(nodes) - MOST_NAMED} more" if len(nodes) > MOST_NAMED else ""
    )
    return (
        f"The nodes of {partition} that are up could not run it; down or drained: {named}.",
        "It may wait in the queue until they are back (sinfo -R says why they are away), or ask for others.",
    )
