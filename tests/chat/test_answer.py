from __future__ import annotations

from typing import Any

import pytest

from curc_llm.chat.answer import Answer


def event(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"delta": delta, "finish_reason": None, **more}]}


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_both_names_of_reasoning_are_understood(field: str) -> None:
    answer = Answer(sent_at=0.0)
    assert answer.add(event({field: "Hm"}), now=1.0)
    assert answer.add(event({"content": "Yes"}), now=3.0)
    assert (answer.reasoning, answer.text, answer.reasoning_s) == ("Hm", "Yes", 2.0)


def test_an_event_without_text_changes_nothing_to_show() -> None:
    answer = Answer()
    assert not answer.add(event({"role": "assistant", "content": ""}), now=1.0)
    assert not answer.add({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}, now=1.0)
    assert answer.first_token_s is None
    assert answer.tokens == 7


def test_the_engines_count_wins_over_the_number_of_events() -> None:
    answer = Answer(sent_at=0.0)
    for now in (1.0, 2.0):
        answer.add(event({"content": "ab"}), now)
    assert answer.tokens == 2
    answer.add({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 11}}, 2.0)
    assert answer.tokens == 11
    assert answer.tokens_per_s == 10.0


def test_too_few_tokens_have_no_speed() -> None:
    answer = Answer(sent_at=0.0)
    answer.add(event({"content": "a"}), 0.25)
    assert (answer.first_token_s, answer.tokens_per_s) == (0.25, None)
