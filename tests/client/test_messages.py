from __future__ import annotations

import pickle
from typing import Any, cast

import pytest

from curc_llm.client.answer import Answer
from curc_llm.client.messages import make_messages
from curc_llm.client.progress import render_duration
from curc_llm.client.secret import Secret
from curc_llm.errors import PromptError


def test_messages_without_a_role_or_none_at_all_are_refused() -> None:
    for bad in ([], [{"content": "x"}]):
        with pytest.raises(ValueError, match="role"):
            make_messages(bad)


def test_two_sets_of_instructions_are_refused() -> None:
    with pytest.raises(ValueError, match="Leave out system="):
        make_messages([{"role": "system", "content": "a"}], system="b")


@pytest.mark.parametrize("prompt", [None, 5, b"bytes", ["a", "b"], {"role": "user"}])
def test_what_is_no_prompt_is_told_in_a_sentence(prompt: Any) -> None:
    with pytest.raises(PromptError, match=f"The prompt is {type(prompt).__name__}") as told:
        make_messages(prompt)
    assert 'Messages look like {"role"' in told.value.remedy
    assert isinstance(told.value, (TypeError, ValueError))


def test_instructions_that_are_no_text_are_told() -> None:
    with pytest.raises(PromptError, match="system is int 5, not a text"):
        make_messages("Hi", system=cast(Any, 5))


def test_openai_s_own_messages_can_be_given_back() -> None:
    from openai.types.chat import ChatCompletionMessage

    said = ChatCompletionMessage(role="assistant", content="Hi")
    assert make_messages(cast(Any, [said]))[0]["content"] == "Hi"


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
