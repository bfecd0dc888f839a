"""Faults: what goes wrong on real clusters, for as long as a `with` block lasts."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    if name == "slurmctld":
        _save_state(bed)
    daemon.send(bed.ground, name, signal.SIGKILL)
    daemon.wait_until(lambda: not daemon.is_running(bed.ground, name), 5)
    try:
        yield
    finally:
        bed.up()


def _save_state(bed: Bed) -> None:
    """Waits until the controller has written down what it knows, which it does seconds after a change.

    Else it gives job ids anew that nodes and accounting know as ended ones.
    """
    saved = bed.ground.folder / "state" / "job_state"
    asked = ["-H", "-pal40", "-qgpu-normal", "-Aucb-general", "-N1", "-n1", "-t10", "--gres=gpu:l40:1"]
    told = bed.run("sbatch", "--parsable", *asked, "--mem=1G", "-o/dev/null", "--wrap=true").stdout
    job_id = told.split()[0]
    bed.run("scancel", job_id)
    changed_ns = time.time_ns()
    assert daemon.wait_until(lambda: saved.exists() and saved.stat().st_mtime_ns > changed_ns, 20)


@contextmanager
def lost(bed: Bed, node: Node) -> Iterator[None]:
    """A node that Slurm has given up: its jobs fail or go back into the queue."""
    bed.run("scontrol", "update", f"nodename={node.name}", "state=down", "reason=test")
    try:
        yield
    finally:
        bed.run("scontrol", "update", f"nodename={node.name}", "state=resume", check=False)
        bed.up()


@contextmanager
def deaf(bed: Bed, device: str, *addresses: str) -> Iterator[None]:
    """Nodes whose packets to each other come to nothing, though each one's link is up.

    Args:
        bed: the Slurm.
        device: the interface, of the same name on all nodes.
        addresses: theirs there.
    """
    nowhere = ("lladdr", "02:00:00:00:00:01", "nud", "permanent", "dev", device)
    for node in bed.ground.nodes:
        for address in addresses:
            bed.run("ip", "-n", node.namespace, "neigh", "replace", address, *nowhere)
    try:
        yield
    finally:
        for node in bed.ground.nodes:
            bed.run(
                "ip", "-n", node.namespace, "neigh", "flush", "dev", device, "nud", "permanent", check=False
            )


@contextmanager
def without_folder(bed: Bed, node: Node, folder: Path) -> Iterator[None]:
    """A node that has nothing in a folder which the others see: a file system that isn't mounted there."""
    inside = ("nsenter", "-m", "-t", str(daemon.pid_of(bed.ground, f"slurmd.{node.name}")))
    bed.run(*inside, "mount", "-t", "tmpfs", "tmpfs", folder)
    try:
        yield
    finally:
        bed.run(*inside, "umount", "-l", folder, check=False)
