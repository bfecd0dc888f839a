"""What is left of an engine on a node is found by its mark, and nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from curc_llm.job.sweep import RUN_VARIABLE, find_marked

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def start() -> Iterator:
    with contextlib.ExitStack() as stack:

        def start_one(run_id: str, **more: object) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True,
                env=os.environ | {RUN_VARIABLE: run_id}, **more,
            )  # fmt: skip
            stack.callback(process.kill)
            stack.enter_context(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            return process

        yield start_one


def test_a_marked_process_goes_though_it_ignores_term_and_left_its_session(start) -> None:
    mine, other = start("s.0", start_new_session=True), start("s.01")
    assert [facts.pid for facts in find_marked("s.0")] == [mine.pid]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "curc_llm.job.sweep", "s.0"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "swept\n")
    assert mine.wait(5) == -9
    assert other.poll() is None


def test_it_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "curc_llm.job.sweep"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "usage" in done.stderr
