"""What is left of an engine on a node is found by its mark, and nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from curc_llm.job.rank_plan import RankPlan, write_rank_plan
from curc_llm.job.sweep import RUN_VARIABLE, find_marked, mark_folder

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def start() -> Iterator:
    with contextlib.ExitStack() as stack:

        def start_one(run_id: str, **more: object) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True,
                env=os.environ | {RUN_VARIABLE: run_id}, **more,
            )  # fmt: skip
            stack.enter_context(process)
            stack.callback(process.kill)  # before it is waited for
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


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name; pytest's own doesn't."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as name:
        yield Path(name)


def test_the_folder_of_a_killed_rank_goes_and_that_of_another_run_stays(tmp_path: Path, short: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = --model ] || exec kill -KILL $PPID\n')
    python.chmod(0o755)
    plan = RankPlan(
        run_id="s.0", engine_python=str(python), device="cpu", arguments=((), ("--headless",)),
        head_address="10.0.0.1", head_port=1, runtime_dir=tmp_path, cache_dir=tmp_path, hf_home=tmp_path,
    )  # fmt: skip
    write_rank_plan(tmp_path / "plan.json", plan)
    kept = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    environment = {**kept, "TMPDIR": str(short), "SLURM_NODEID": "1"}
    run = [sys.executable, "-P", "-m"]
    killed = subprocess.run([*run, "curc_llm.job.rank", str(tmp_path / "plan.json")], env=environment)
    assert killed.returncode == -9
    (left,) = short.iterdir()
    other = Path(tempfile.mkdtemp(prefix="curc-llm-1-", dir=short))
    mark_folder(other, "s.1")
    subprocess.run([*run, "curc_llm.job.sweep", "s.0"], env=environment, check=True)
    assert not left.exists()
    assert other.exists()


def test_it_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "curc_llm.job.sweep"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "usage" in done.stderr
