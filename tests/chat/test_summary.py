from __future__ import annotations

import json
from typing import Any

import pytest

from curc_llm.chat.gauge import Gauge
from curc_llm.chat.reasoning import Reasoning
from curc_llm.chat.summary import (
    SUMMARY_TOKENS,
    apply_summary,
    make_summary,
    make_summary_request,
    read_summary,
)

TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "My sample has 42 mice."},
    {"role": "assistant", "content": "Noted."},
    {"role": "user", "content": [{"type": "text", "text": "And this?"}, {"type": "image_url"}]},
    {"role": "assistant", "content": "A plot."},
    {"role": "user", "content": "How many mice?"},
]


def test_the_request_holds_what_is_to_be_summarised_and_nothing_else() -> None:
    request = make_summary_request(TALK, 2, 4000)
    (message,) = request.messages
    assert message["role"] == "user"
    assert "user: My sample has 42 mice.\n\nassistant: Noted." in message["content"]
    assert "And this?" not in message["content"]
    assert "Be brief." not in message["content"]
    body = request.to_json("m", Reasoning(("off", "on"), "enable_thinking"))
    assert body["max_tokens"] == 1000
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert make_summary_request(TALK, 4, 10**6).max_tokens == SUMMARY_TOKENS


def test_what_is_longer_than_the_context_loses_its_middle() -> None:
    long = [{"role": "user", "content": "begin " + "x" * 90_000 + " end"}, *TALK[2:]]
    request = make_summary_request(long, 2, 2000)
    assert Gauge().count(request.messages) <= 2000
    assert "begin" in request.messages[0]["content"]
    assert " end" in request.messages[0]["content"]
    assert "left out" in request.messages[0]["content"]
    assert make_summary_request(long, 2, 10).messages


def test_an_earlier_summary_stands_for_what_it_summarised() -> None:
    earlier = make_summary(TALK, 2, "There are 42 mice.", "m")
    request = make_summary_request(TALK, 4, 4000, earlier=earlier)
    assert "There are 42 mice." in request.messages[0]["content"]
    assert "My sample" not in request.messages[0]["content"]
    assert "And this?\n[picture]" in request.messages[0]["content"]
    stranger = make_summary([{"role": "user", "content": "No"}], 1, "Other.", "m")
    assert "My sample" in make_summary_request(TALK, 4, 4000, earlier=stranger).messages[0]["content"]


def test_it_goes_before_the_next_question() -> None:
    applied = apply_summary(TALK, make_summary(TALK, 4, " There are 42 mice.\n", "m"))
    assert [m["role"] for m in applied] == ["system", "user"]
    assert applied[1]["content"].startswith("[Summary of the 4 earlier messages")
    assert "\nThere are 42 mice.\n" in applied[1]["content"]
    assert applied[1]["content"].endswith("How many mice?")


def test_it_goes_before_pictures_too() -> None:
    applied = apply_summary(TALK, make_summary(TALK, 2, "42 mice.", "m"))
    assert [part["type"] for part in applied[1]["content"]] == ["text", "text", "image_url"]
    assert TALK[3]["content"][0]["text"] == "And this?"


def test_another_conversation_stays_as_it_is() -> None:
    summary = make_summary(TALK, 2, "42 mice.", "m")
    edited = [TALK[0], {"role": "user", "content": "Rats."}, *TALK[2:]]
    assert apply_summary(edited, summary) == edited
    assert apply_summary(TALK[:3], summary) == TALK[:3]
    changed = [{"role": "system", "content": "Be long."}, *TALK[1:]]
    assert len(apply_summary(changed, summary)) == 4


def test_it_is_kept_with_the_chat() -> None:
    summary = make_summary(TALK, 2, "42 mice.", "m")
    assert read_summary(json.loads(json.dumps(summary.to_facts()))) == summary


@pytest.mark.parametrize("facts", [None, "x", {}, {"num_messages": 2}, {"num_messages": 2, "text": ""}])
def test_what_is_no_summary_is_none(facts: Any) -> None:
    assert read_summary(facts) is None
