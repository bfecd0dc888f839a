from __future__ import annotations

from typing import Any

import pytest

from curc_llm.chat.answer import Answer
from curc_llm.chat.figures import can_continue, find_trouble, make_facts, render_details, render_figures
from curc_llm.chat.gateway_client import GatewayError
from curc_llm.chat.kept_answer import describe_beginning
from curc_llm.chats.message import Message


def make_message(text: str = "Yes.", status: str = "done", **facts: Any) -> Message:
    return Message("a", "q", "assistant", text, 0.0, status=status, facts=facts)


def test_an_answers_figures_are_kept_and_shown_in_one_line() -> None:
    answer = Answer(completion_tokens=11, sent_at=0.0, first_at=1.0, last_at=2.0)
    assert (
        render_figures(make_message(**make_facts(answer))) == "11 tokens · 10 tokens/s · first token 1.00 s"
    )


def test_reasoning_that_was_stopped_says_how_long_it_went_on() -> None:
    thought = Answer(reasoning="Hm, hm", sent_at=0.0, first_at=1.0, last_at=3.5)
    assert make_facts(thought)["reasoning_s"] == 2.5
    answered = Answer(reasoning="Hm", text="Yes", first_at=1.0, reasoned_until=2.0, last_at=3.5)
    assert make_facts(answered)["reasoning_s"] == 1.0


def test_one_token_is_one_token_and_has_no_speed() -> None:
    answer = Answer(deltas=1, sent_at=0.0, first_at=0.25, last_at=0.25)
    assert render_figures(make_message(**make_facts(answer))) == "1 token · first token 0.25 s"


def test_fast_models_have_whole_numbers() -> None:
    answer = Answer(completion_tokens=1235, sent_at=0.0, first_at=0.0, last_at=1.0)
    line = render_figures(make_message(**make_facts(answer)))
    assert "1,234 tokens/s" in line
    assert "1,235 tokens" in line


@pytest.mark.parametrize(
    ("status", "facts", "words"),
    [
        ("stopped", {}, "stopped"),
        ("stopped", {"ended_by": "page"}, "broken off: the page was closed"),
        ("unfinished", {}, "broke off"),
        ("done", {"finish_reason": "length"}, "cut off at the token limit"),
    ],
)
def test_an_answer_that_isnt_whole_says_so_and_can_go_on(
    status: str, facts: dict[str, Any], words: str
) -> None:
    message = make_message(status=status, completion_tokens=2, **facts)
    assert render_figures(message).endswith(words)
    assert can_continue(message)


def test_an_answer_that_the_engine_died_of_can_go_on() -> None:
    assert can_continue(make_message("Half", status="failed"))


def test_an_answer_that_went_on_counts_all_of_its_tokens() -> None:
    first = make_message(status="stopped", completion_tokens=67)
    second = make_message(completion_tokens=190, **describe_beginning(first))
    assert render_figures(second) == "at least 257 tokens"
    third = make_message(completion_tokens=3, **describe_beginning(second))
    assert render_figures(third) == "at least 260 tokens"
    cut = make_message(finish_reason="length", prompt_tokens=9, completion_tokens=67)
    assert render_figures(make_message(completion_tokens=190, **describe_beginning(cut))) == "257 tokens"


def test_a_broken_off_answer_whose_tokens_nobody_counted_has_at_least_as_many_as_pieces_came() -> None:
    answer = Answer(deltas=6, sent_at=0.0, first_at=1.0, last_at=2.0)
    message = make_message(status="stopped", **make_facts(answer))
    assert render_figures(message) == "at least 6 tokens · first token 1.00 s · stopped"


def test_an_answer_that_the_server_didnt_end_isnt_given_the_tokens_of_what_went_before() -> None:
    first = make_message(status="stopped", completion_tokens=6)
    assert render_figures(make_message(status="unfinished", **describe_beginning(first))) == "broke off"


def test_an_imported_chat_with_strange_figures_is_shown_all_the_same() -> None:
    assert render_figures(make_message(completion_tokens=3, earlier_tokens="many")) == "3 tokens"
    assert render_figures(make_message(completion_tokens="x", earlier_tokens=None)) == ""


def test_a_whole_answer_an_empty_one_and_a_question_have_nothing_to_go_on_from() -> None:
    assert not can_continue(make_message(finish_reason="stop"))
    assert not can_continue(make_message(" ", status="stopped"))
    assert not can_continue(Message("q", None, "user", "Hi", 0.0, status="stopped"))


def test_details_tell_how_much_of_the_context_is_used() -> None:
    message = make_message(model="m", prompt_tokens=1000, completion_tokens=24)
    assert "context used: 1,024 of 4,096" in render_details(message, 4096)
    assert "Model: m" in render_details(message)
    assert " of " not in render_details(message)


def test_details_of_a_stopped_answer_say_that_the_counts_are_rough() -> None:
    assert "pieces" in render_details(make_message(status="stopped", completion_tokens=3), 4096)


def test_details_of_a_cut_answer_say_what_to_do() -> None:
    assert "Max. tokens" in render_details(make_message(finish_reason="length"))


def test_a_failure_is_kept_with_its_remedy() -> None:
    facts = make_facts(Answer(problem=GatewayError("It stopped.", "Retry.", "engine_failed")))
    assert find_trouble(facts) == ("It stopped.", "Retry.")
    assert find_trouble({}) is None
    assert find_trouble({"trouble": "words"}) is None


def test_what_isnt_known_isnt_kept() -> None:
    assert make_facts(Answer()) == {"completion_tokens": 0}


@pytest.mark.parametrize("value", ["12", None, [1], {}])
def test_facts_of_a_strange_file_are_left_out(value: Any) -> None:
    message = make_message(completion_tokens=value, tokens_per_s=value, first_token_s=value)
    assert render_figures(message) == ""


def test_an_edited_answer_says_so_and_has_no_figures_of_the_text_before() -> None:
    message = make_message(edited=True, model="llama")
    assert render_figures(message) == "edited"
    details = render_details(message, 4096)
    assert "Model: llama" in details
    assert "You changed this answer" in details
    assert "Token counts" not in details
