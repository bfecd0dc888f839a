"""What Slurm did to a session is told in words, with what to do next."""

from __future__ import annotations

import pytest

from curc_llm.launch.slurm_ending import explain_end
from curc_llm.slurm.job import Job
from curc_llm.slurm.state import JobState

OVER = [state for state in JobState if state.is_over]


@pytest.mark.parametrize("state", OVER)
def test_every_end_has_a_sentence_and_no_slurm_word(state: JobState) -> None:
    status, reason = explain_end(Job("7", state), "slurm-a", has_record=True)
    assert status.is_over
    assert reason.message.endswith(".")
    assert state.value not in reason.message
    assert reason.remedy or state is JobState.CANCELLED


def test_a_lost_node_says_how_to_launch_again() -> None:
    assert explain_end(Job("7", JobState.NODE_FAIL), "slurm-a", has_record=True)[1].remedy == (
        "Launch it again: curc-llm repeat slurm-a"
    )


def test_the_end_of_the_time_is_no_failure() -> None:
    status, reason = explain_end(Job("7", JobState.TIMEOUT), "slurm-a", has_record=True)
    assert (status, reason.code) == ("ended", "wall_time")


def test_a_missing_runtime_is_named() -> None:
    state = JobState.FAILED
    _, reason = explain_end(Job("7", state, exit_code="127:0"), "slurm-a", has_record=False)
    assert reason.code == "no_runtime"
    assert "--part job" in reason.remedy
    _, other = explain_end(Job("7", state, exit_code="127:0"), "slurm-a", has_record=True)
    assert other.code == "job_failed"
    assert "127:0" in other.message
