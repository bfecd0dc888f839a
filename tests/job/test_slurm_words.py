"""What Slurm writes into a job's output before it ends it; lines as Slurm 22.05 wrote them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curc_llm.job.slurm_words import parse_cause, read_cause

LINE = "slurmstepd-tn1: error: *** JOB 3 ON tn1 CANCELLED AT 2026-11-21T14:47:03{why} ***\n"


@pytest.mark.parametrize("why", ["TIME LIMIT", "PREEMPTION", "JOB REQUEUE", "NODE FAILURE"])
def test_the_cause_is_read(why: str) -> None:
    assert parse_cause("loading\n" + LINE.format(why=f" DUE TO {why}") + "more\n", "3") == why


def test_a_comment_behind_the_cause_is_left_out() -> None:
    line = LINE.format(why=" DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS")
    assert parse_cause(line, "3") == "NODE FAILURE"


def test_a_cancelled_job_has_no_cause() -> None:
    assert parse_cause(LINE.format(why=""), "3") == ""


def test_other_jobs_and_other_words_do_not_count() -> None:
    assert parse_cause(LINE.format(why=" DUE TO PREEMPTION"), "33") == ""
    assert parse_cause("DUE TO PREEMPTION", "3") == ""


def test_of_several_runs_the_last_counts() -> None:
    text = LINE.format(why=" DUE TO JOB REQUEUE") + LINE.format(why=" DUE TO TIME LIMIT")
    assert parse_cause(text, "3") == "TIME LIMIT"


def test_it_is_read_from_the_output_itself(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_text("x" * 10000 + "\n" + LINE.format(why=" DUE TO PREEMPTION"))
    with path.open("a") as file:
        assert read_cause("3", file.fileno()) == "PREEMPTION"
    read_end, write_end = os.pipe()
    assert read_cause("3", write_end) == ""
    os.close(read_end)
    os.close(write_end)
