from __future__ import annotations

from typing import Any

import pytest

from curc_llm.chat.answer import Answer, render_details, render_figures


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
    assert render_figures(answer) == "11 tokens · 10 tokens/s · first token 1.00 s"


def test_too_few_tokens_have_no_speed() -> None:
    answer = Answer(sent_at=0.0)
    answer.add(event({"content": "a"}), 0.25)
    assert render_figures(answer) == "1 token · first token 0.25 s"


def test_a_stopped_and_a_cut_off_answer_say_so() -> None:
    assert render_figures(Answer(deltas=2, stopped=True)).endswith("stopped")
    cut = Answer(completion_tokens=2, finish_reason="length")
    assert render_figures(cut).endswith("cut off at the token limit")
    assert "Max. tokens" in render_details(cut, None)


def test_fast_models_have_whole_numbers() -> None:
    answer = Answer(completion_tokens=1235, sent_at=0.0, first_at=0.0, last_at=1.0)
    assert "1,234 tokens/s" in render_figures(answer)
    assert "1,235 tokens" in render_figures(answer)


def test_details_tell_how_much_of_the_context_is_used() -> None:
    answer = Answer(model="m", prompt_tokens=1000, completion_tokens=24)
    assert "context used: 1,024 of 4,096" in render_details(answer, 4096)
    assert "Prompt: 1,000 tokens" in render_details(answer, None)


def test_details_of_a_stopped_answer_say_that_the_counts_are_rough() -> None:
    assert "pieces" in render_details(Answer(model="m", deltas=3), 4096)
