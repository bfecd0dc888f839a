#!/usr/bin/env python3
"""A process that leaves others behind, as vLLM does: python fake_workers.py READY_FILE MODE ...

It writes `NAME PID` of each process into READY_FILE once all run. Modes:
    stubborn   ignores TERM
    escape     a grandchild in its own session, whose parent ends once `go` stands beside READY_FILE
    quick      ends at once and leaves a child in its session
    plain      ends on TERM
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path


def sleep() -> None:
    while True:
        time.sleep(3600)


def spawn(*, own_session: bool = False, ignore_term: bool = True) -> int:
    """Starts a child that only waits; returns its pid."""
    pid = os.fork()
    if pid == 0:
        if own_session:
            os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN if ignore_term else signal.SIG_DFL)
        sleep()
    return pid


def spawn_escaped(go: Path) -> int:
    """Starts a process in a session of its own; its parent ends once the file `go` exists."""
    read_end, write_end = os.pipe()
    between = os.fork()
    if between == 0:
        os.setsid()
        os.write(write_end, str(spawn()).encode())
        while not go.exists():
            time.sleep(0.01)
        os._exit(0)
    return int(os.read(read_end, 20))


def main() -> None:
    ready, mode = Path(sys.argv[1]), sys.argv[2]
    pids = {"first": os.getpid(), "child": spawn()}
    if mode == "escape":
        pids["escaped"] = spawn_escaped(ready.with_name("go"))
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    beside = ready.with_name(ready.name + ".new")
    beside.write_text("".join(f"{name} {pid}\n" for name, pid in pids.items()))
    beside.rename(ready)
    if mode == "quick":
        os._exit(3)
    sleep()


if __name__ == "__main__":
    main()
