"""Daemon: one process of the bed: started in a session of its own, known by a pid file, stopped for good."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.testbed.ground import Ground

# Notes its pid, then becomes the daemon; the shell in front goes away at once, so nobody has to wait for it.
_START = 'setsid sh -c \'echo $$ >"$0"; exec "$@"\' "$@" </dev/null >>"$0" 2>&1 &'


def start(ground: Ground, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
    """Starts a command that stays in the foreground; nothing happens when it runs already."""
    if is_running(ground, name):
        return
    arguments = [str(argument) for argument in command]
    log, pid_file = ground.log / f"{name}.out", _pid_file(ground, name)
    pid_file.unlink(missing_ok=True)
    subprocess.run(
        ["sh", "-c", _START, str(log), str(pid_file), *arguments],
        check=True, cwd="/", env={**os.environ, **environment},
    )  # fmt: skip


def is_running(ground: Ground, name: str) -> bool:
    """Whether the process of the pid file lives and is the bed's."""
    pid = pid_of(ground, name)
    return pid is not None and _is_ours(pid, ground)


def stop(ground: Ground, name: str, *, patience_s: float = 10) -> None:
    """TERM, then KILL."""
    pid = pid_of(ground, name)
    if pid is not None and _is_ours(pid, ground):
        stop_pids([pid], patience_s=patience_s)
    _pid_file(ground, name).unlink(missing_ok=True)


def send(ground: Ground, name: str, number: signal.Signals) -> None:
    """Sends a daemon a signal; nothing happens when it doesn't run."""
    pid = pid_of(ground, name)
    if pid is not None and _is_ours(pid, ground):
        _signal(pid, number)


def stop_pids(pids: Sequence[int], *, patience_s: float) -> None:
    """TERM to all, KILL to those that are left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            _signal(pid, number)
        if wait_until(lambda: not any(_lives(pid) for pid in pids), patience_s):
            return


def wait_until(is_so: Callable[[], bool], seconds: float, pause_s: float = 0.05) -> bool:
    """Waits until something is so; False when it never was."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(pause_s)
    return True


def _pid_file(ground: Ground, name: str) -> Path:
    return ground.run / f"{name}.pid"


def pid_of(ground: Ground, name: str) -> int | None:
    """The daemon's process; None when it was never started."""
    try:
        return int(_pid_file(ground, name).read_text())
    except (OSError, ValueError):
        return None


def _is_ours(pid: int, ground: Ground) -> bool:
    """The folder stands in the environment of every process of the bed, so a reused pid is recognised."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return _lives(pid) and f"CURC_LLM_TESTBED={ground.folder}".encode() in environment.split(b"\0")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
