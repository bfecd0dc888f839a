"""Faults: what goes wrong on real clusters, for as long as a `with` block lasts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.testbed import daemon
from tests.testbed.bed import Bed
from tests.testbed.ground import Node


@contextmanager
def frozen(bed: Bed, name: str) -> Iterator[None]:
    """A daemon that takes connections and never answers: a controller under too much load."""
    daemon.send(bed.ground, name, signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.send(bed.ground, name, signal.SIGCONT)
        bed.up()


@contextmanager
def dead(bed: Bed, name: str) -> Iterator[None]:
    """A daemon that was killed."""
    next_id = _next_job_id(bed) if name == "slurmctld" else 0
    daemon.send(bed.ground, name, signal.SIGKILL)
    daemon.wait_until(lambda: not daemon.is_running(bed.ground, name), 5)
    try:
        yield
    finally:
        bed.up()
        _use_up_job_ids(bed, next_id)


def _next_job_id(bed: Bed) -> int:
    told = bed.run("scontrol", "show", "config").stdout
    return int(next(line for line in told.splitlines() if line.startswith("NEXT_JOB_ID")).split("=")[1])


def _use_up_job_ids(bed: Bed, until: int) -> None:
    """A killed controller forgets the last seconds and gives ids anew that the nodes know as ended."""
    while _next_job_id(bed) < until:
        asked = ["-H", "-pal40", "-qgpu-normal", "-Aucb-general", "-N1", "-n1", "-t10", "--gres=gpu:l40:1"]
        job_id = bed.run("sbatch", "--parsable", *asked, "--mem=1G", "--wrap=true").stdout.split()[0]
        bed.run("scancel", job_id)


@contextmanager
def lost(bed: Bed, node: Node) -> Iterator[None]:
    """A node that Slurm has given up: its jobs fail or go back into the queue."""
    bed.run("scontrol", "update", f"nodename={node.name}", "state=down", "reason=test")
    try:
        yield
    finally:
        bed.run("scontrol", "update", f"nodename={node.name}", "state=resume", check=False)
        bed.up()
