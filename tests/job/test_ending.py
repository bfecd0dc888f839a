"""Why Slurm ends a session, in a person's words."""

from __future__ import annotations

import signal

import pytest

from curc_llm.job.ending import make_slurm_ending, make_stop_ending


@pytest.mark.parametrize(
    ("cause", "code"),
    [("PREEMPTION", "preempted"), ("JOB REQUEUE", "requeued"), ("NODE FAILURE", "node_fail")],
)
def test_each_cause_has_its_words(cause: str, code: str) -> None:
    ending = make_slurm_ending(cause, "slurm-a", requeue=True, drain_s=3)
    assert ending is not None
    assert ending.reason.code == code
    assert ending.is_urgent
    assert "by itself" in ending.reason.remedy


def test_what_slurm_does_not_start_again_says_how_to() -> None:
    ending = make_slurm_ending("PREEMPTION", "slurm-a", requeue=False, drain_s=3)
    assert ending is not None
    assert ending.reason.remedy == "Launch it again: curc-llm repeat slurm-a"


def test_the_time_limit_is_no_failure() -> None:
    ending = make_slurm_ending("TIME LIMIT", "slurm-a", requeue=False, drain_s=3)
    assert ending is not None
    assert (ending.status, ending.reason.code, ending.drain_s) == ("ended", "wall_time", 3)


def test_without_a_cause_somebody_stopped_it() -> None:
    assert make_slurm_ending("", "slurm-a", requeue=False, drain_s=3) is None


def test_a_replica_that_is_killed_was_not_stopped_by_its_owner() -> None:
    own = make_stop_ending(signal.SIGTERM, None, 5, 20)
    assert own.reason.message == "The session was stopped by its owner."
    killed = make_stop_ending(signal.SIGTERM, None, 5, 20, is_replica=True)
    assert killed.reason.message.startswith("The replica was ended from outside (SIGTERM)")
    at_its_end = make_stop_ending(signal.SIGTERM, 10, 5, 20, is_replica=True)
    assert at_its_end.reason.code == "wall_time"
