from __future__ import annotations

import pickle

import pytest

from curc_llm.client.answer import Answer
from curc_llm.client.messages import make_messages
from curc_llm.client.progress import render_duration
from curc_llm.client.secret import Secret


def test_messages_without_a_role_or_none_at_all_are_refused() -> None:
    for bad in ([], [{"content": "x"}]):
        with pytest.raises(ValueError, match="role"):
            make_messages(bad)


def test_two_sets_of_instructions_are_refused() -> None:
    with pytest.raises(ValueError, match="leave out system="):
        make_messages([{"role": "system", "content": "a"}], system="b")


def test_a_secret_shows_nothing_and_is_not_pickled() -> None:
    secret = Secret(" curc-abc\n")
    assert secret.reveal() == "curc-abc"
    assert "abc" not in f"{secret} {secret!r} {[secret]}"
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(secret)


def test_an_answer_survives_pickling_and_behaves_as_text() -> None:
    answer = pickle.loads(pickle.dumps(Answer("Hi", reasoning="r", finish_reason="stop")))
    assert answer == "Hi"
    assert answer.reasoning == "r"
    assert type(answer.text) is str


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3600, "1 h 0 min")]
)
def test_durations_are_told_in_words(seconds: float, words: str) -> None:
    assert render_duration(seconds) == words
