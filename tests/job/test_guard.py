"""The guard leaves no process behind, however its command or its watcher ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curc_llm.job.descendants import list_descendants
from curc_llm.session.store import process_started

GUARD = [sys.executable, "-m", "curc_llm.job.guard", "--grace-s", "0.3"]
# A tree that tries to escape: the grandchild leaves its process group, ignores TERM, and loses its parent.
ESCAPING_TREE = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read(): time.sleep(0.01)
print("ready", flush=True)
"""


def wait_until(condition, timeout_s: float = 15.0) -> None:
    """Awaits a condition; fails the test when it doesn't come true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


@pytest.fixture
def start():
    """Starts commands under a guard; whatever is left is killed after the test."""
    with contextlib.ExitStack() as stack:

        def start_one(
            script: str, *arguments: str, options: tuple[str, ...] = (), pass_fds: tuple[int, ...] = ()
        ):
            command = [*GUARD, *options, "--", sys.executable, "-c", script, *arguments]
            guard = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=pass_fds)
            stack.callback(guard.kill)
            return stack.enter_context(guard)

        yield start_one


@pytest.mark.slow
def test_a_grandchild_that_escapes_is_ended_with_the_command(start, tmp_path: Path) -> None:
    guard = start(ESCAPING_TREE, str(tmp_path / "pid"))
    assert guard.stdout is not None
    assert guard.stdout.readline() == "ready\n"
    grandchild = int((tmp_path / "pid").read_text())
    assert guard.wait(timeout=20) == 0
    assert process_started(grandchild) is None


def test_the_closing_of_the_liveness_pipe_ends_everything(start, tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    script = ESCAPING_TREE + "\ntime.sleep(600)"
    guard = start(
        script, str(tmp_path / "pid"), options=("--liveness-fd", str(read_end)), pass_fds=(read_end,)
    )
    assert guard.stdout is not None
    assert guard.stdout.readline() == "ready\n"
    tree = list_descendants(guard.pid)
    assert len(tree) >= 2
    os.close(write_end)
    guard.wait(timeout=20)
    os.close(read_end)
    assert all(process_started(pid) is None for pid in tree)


@pytest.mark.parametrize(
    ("script", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_the_commands_own_end_is_passed_on(start, script: str, status: int) -> None:
    assert start(script).wait(timeout=10) == status


def test_term_reaches_the_command_so_that_it_can_end_by_itself(start) -> None:
    script = (
        "import signal, sys; signal.signal(15, lambda *_: sys.exit(5)); "
        "print('up', flush=True); signal.pause()"
    )
    guard = start(script)
    assert guard.stdout is not None
    assert guard.stdout.readline() == "up\n"
    guard.send_signal(signal.SIGTERM)
    assert guard.wait(timeout=10) == 5


def test_a_guard_without_a_command_says_so() -> None:
    done = subprocess.run(GUARD, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no command to run" in done.stderr


def test_adopted_processes_that_end_leave_no_zombie(start) -> None:
    script = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    pid = os.fork()\n"
        "    if pid: print(pid, flush=True)\n"
        "    else: time.sleep(0.3)\n"
        "    os._exit(0)\n"
        "os.wait(); time.sleep(600)"
    )
    guard = start(script)
    assert guard.stdout is not None
    orphan = int(guard.stdout.readline())
    wait_until(lambda: not Path(f"/proc/{orphan}").exists())
    guard.terminate()
    guard.wait(timeout=20)


PATIENT = """
import sys
from curc_llm.job.guard import Guard
guard = Guard([sys.executable, "-c", sys.argv[1]], None, grace_s=0.3, patience_s=0.5)
status = guard.run()
print(status, guard.was_told, flush=True)
"""
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


@pytest.mark.slow
def test_a_command_that_does_not_heed_its_signal_gets_no_more_than_its_time() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PATIENT, DEAF], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == f"{-signal.SIGTERM} True\n"


def test_a_command_that_ends_by_itself_was_not_told_to() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PATIENT, "raise SystemExit(4)"], capture_output=True, text=True
    )
    assert done.stdout == "4 False\n"
