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
    daemon.send(bed.ground, name, signal.SIGKILL)
    daemon.wait_until(lambda: not daemon.is_running(bed.ground, name), 5)
    try:
        yield
    finally:
        bed.up()


@contextmanager
def lost(bed: Bed, node: Node) -> Iterator[None]:
    """A node that Slurm has given up: its jobs fail or go back into the queue."""
    bed.run("scontrol", "update", f"nodename={node.name}", "state=down", "reason=test")
    try:
        yield
    finally:
        bed.run("scontrol", "update", f"nodename={node.name}", "state=resume", check=False)
        bed.up()
