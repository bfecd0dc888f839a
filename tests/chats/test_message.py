from __future__ import annotations

import pytest

from curc_llm.chats.message import Message, parse_message, parse_time


def test_an_answer_comes_back_with_all_that_is_known_of_it() -> None:
    message = Message("a", "q", "assistant", "It is.", 5.0, "Hm.", "stopped", {"model": "m", "rating": -1})
    assert parse_message(message.to_line()) == message


def test_texts_are_the_last_of_a_line() -> None:
    names = list(Message("a", None, "assistant", "x", 1.0, facts={"model": "m"}).to_line())
    assert names[0] == "id"
    assert names[-3:] == ["status", "reasoning", "content"]


def test_facts_cannot_take_the_place_of_what_a_message_is() -> None:
    line = Message(
        "a", None, "user", "x", 1.0, facts={"id": "b", "role": "assistant", "content": "y"}
    ).to_line()
    assert (line["id"], line["role"], line["content"]) == ("a", "user", "x")


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"id": "a", "role": "tool", "content": "x"},
        {"id": "a", "role": "user", "content": ["x"]},
        {"id": True, "role": "user", "content": "x"},
        {"id": "", "role": "user", "content": "x"},
        {"id": "a" * 101, "role": "user", "content": "x"},
    ],
)
def test_what_is_no_message_is_none(line: dict) -> None:
    assert parse_message(line) is None


@pytest.mark.parametrize("odd", [None, "now", -1, 1e99, float("nan"), True, []])
def test_what_is_no_time_is_zero(odd: object) -> None:
    assert parse_time(odd) == 0.0
