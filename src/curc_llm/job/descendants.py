"""Every process that descends from this one, found through /proc, and how to end them all.

Only the standard library is used, for the guard must start at once and must never fail to import.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def adopt_orphans() -> None:
    """Makes this process the new parent of every descendant whose own parent dies (see prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def list_descendants(root: int) -> list[int]:
    """The pids that descend from `root`, zombies left out, in no order."""
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            parent = _living_parent(int(entry.name))
            if parent is not None:
                parents[int(entry.name)] = parent
    return [pid for pid in parents if _descends(pid, root, parents)]


def _living_parent(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, parent = text[text.rindex(")") + 2 :].split()[:2]
    return None if state in {"Z", "X"} else int(parent)


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    seen: set[int] = set()
    while pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
        if pid == root:
            return True
    return False


def reap_orphans(besides: int) -> None:
    """Collects ended children that were adopted; the child `besides` is left to whoever started it."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == besides:
            return
        os.waitpid(ended.si_pid, 0)


def end_descendants(grace_s: float) -> None:
    """Sends TERM to every descendant of this process, then KILL to those left after `grace_s` seconds.

    Returns when none is left; children that a dying process starts meanwhile are found as well.
    """
    _signal_all(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while _reap() and list_descendants(os.getpid()):
        if time.monotonic() >= deadline:
            _signal_all(signal.SIGKILL)
        time.sleep(0.02)


def _signal_all(number: signal.Signals) -> None:
    for pid in list_descendants(os.getpid()):
        try:
            os.kill(pid, number)
        except OSError:
            continue  # it ended meanwhile, or belongs to another user


def _reap() -> bool:
    """Collects ended children; False when there is no child at all."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
