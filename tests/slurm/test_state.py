from __future__ import annotations

import pytest

from curc_llm.slurm.state import JobState, parse_state


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("RUNNING", JobState.RUNNING),
        ("CANCELLED by 1000", JobState.CANCELLED),
        ("CANCELLED+", JobState.CANCELLED),
        ("OUT_OF_MEMORY", JobState.OUT_OF_MEMORY),
        ("", JobState.UNKNOWN),
        ("SOMETHING_NEW", JobState.UNKNOWN),
        ("GONE", JobState.UNKNOWN),
    ],
)
def test_slurms_words_are_understood_and_new_ones_are_unknown(word: str, state: JobState) -> None:
    assert parse_state(word) is state


def test_every_state_is_waiting_or_running_or_over_and_unknown_is_none_of_them() -> None:
    for state in JobState:
        holds = [state.is_waiting, state.is_running, state.is_over].count(True)
        assert holds == (0 if state is JobState.UNKNOWN else 1), state


def test_unknown_is_not_gone() -> None:
    assert not JobState.UNKNOWN.is_over
    assert JobState.GONE.is_over
