"""Child processes of a benchmark: started quietly, measured with all their descendants, always ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil


@contextlib.contextmanager
def run_child(
    command: list[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
    patience_s: float = 15,
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a process in a group of its own, output in `log`; ends it and its descendants afterwards."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        end_group(child, patience_s)


def end_on_terminate() -> None:
    """Makes SIGTERM end this process as an exception does, so that its children are ended too."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def end_group(child: subprocess.Popen[bytes], patience_s: float) -> None:
    """Asks the process to end, waits, then kills its group and reaps it."""
    members = _tree(child.pid)
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_s)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    child.wait(5)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def measure_cpu_s(pid: int) -> float:
    """User and system time of a process and its living descendants, in seconds."""
    return sum(sum(process.cpu_times()[:2]) for process in _tree(pid))


def measure_memory_mib(pid: int) -> float:
    """Proportional set size (shared pages counted in part) of a process and its descendants, in MiB."""
    return float(sum(process.memory_full_info().pss for process in _tree(pid))) / 2**20


def wait_until(
    condition: Callable[[], bool], child: subprocess.Popen[bytes], log: Path, limit_s: float
) -> None:
    """Waits; raises RuntimeError with the log's end when the child dies or the time is over."""
    end = time.monotonic() + limit_s
    while not condition():
        if child.poll() is not None or time.monotonic() > end:
            what = (
                f"ended with {child.returncode}" if child.returncode is not None else f"not up in {limit_s} s"
            )
            raise RuntimeError(f"{child.args!r}: {what}\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.02)


def find_free_port() -> int:
    """A port of loopback that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
