"""A real job with a fake engine, of which parts are killed while a batch runs; and the batch itself."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batch.killing import Batch, draw_moments, read_answers, run_batch, write_rows
from tests.job.conftest import Job, short_dir, start_job

__all__ = ["short_dir", "start_job"]
pytestmark = pytest.mark.slow
ROWS = 1500
FAKE = {"FAKE_ENGINE_OPTIONS": "--token-s 0.004 --tokens 5"}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [f"question {i}" for i in range(ROWS)])
    return path


def person(tmp_path: Path, job: Job) -> dict[str, str]:
    """The environment of somebody whose state folder the job's session is in."""
    state_dir = job.paths.root.parent.parent
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CURC_LLM_", "XDG_", "SLURM_"))}
    return {**kept, "HOME": str(tmp_path), "CURC_LLM_STATE_DIR": str(state_dir)}


def test_killed_three_times_each_row_is_there_once_and_in_order(
    start_job: Callable[..., Job], rows: Path, tmp_path: Path
) -> None:
    job = start_job(idle_stop_min=0, environment=FAKE)
    job.wait_until_ready()
    environment, target = person(tmp_path, job), tmp_path / "out.jsonl"
    batch = Batch(rows, target, environment, "--concurrency", "8")
    for count, victim in draw_moments(os.getpid(), ROWS, ["batch", "engine", "job"]):
        batch.wait_for_rows(count)
        if victim == "batch":
            batch.die()
        elif victim == "engine":
            job.find("fake_engine.py").kill()
            continue  # the batch waits, and goes on by itself
        else:
            job.guard.kill()
            said = batch.communicate(timeout=60)[1]
            assert batch.returncode == 1, said
            assert "are done and kept in" in said
            assert "Run the same again" in said
            job.process.wait()
            job = start_job(idle_stop_min=0, environment=FAKE)
            job.wait_until_ready()
        batch = Batch(rows, target, environment, "--concurrency", "8")
    said, talk = batch.communicate(timeout=120)
    assert batch.returncode == 0, said + talk
    answers = read_answers(target)
    assert list(answers) == [f"id-{i}" for i in range(ROWS)]
    assert set(answers.values()) == {"word0 word1 word2 word3 word4"}
    before = target.read_bytes()
    assert "all of them from an earlier run" in run_batch(rows, target, environment)
    assert target.read_bytes() == before


def test_ctrl_c_says_how_to_go_on(start_job: Callable[..., Job], rows: Path, tmp_path: Path) -> None:
    job = start_job(idle_stop_min=0, environment=FAKE)
    job.wait_until_ready()
    environment, target = person(tmp_path, job), tmp_path / "out.jsonl"
    batch = Batch(rows, target, environment, "--concurrency", "8")
    batch.wait_for_rows(50)
    batch.send_signal(signal.SIGINT)
    said, talk = batch.communicate(timeout=20)
    assert batch.returncode == 130
    assert said == ""
    assert re.search(r"\d+ of 1,500 rows are done and kept in .*/out\.jsonl\. Run the same again to", talk)
