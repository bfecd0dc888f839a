"""What the chat page sends is what real vLLM takes, and counts as the page does."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from curc_llm.chat.context import Counted, measure
from curc_llm.chat.controls import parse_controls
from curc_llm.chat.defaults import load_defaults
from curc_llm.chat.gateway_client import make_count_request
from curc_llm.chat.reasoning import Reasoning
from curc_llm.spec import DEMO_MODEL_DIR
from tests.e2e.conftest import Running
from tests.e2e.questions import FIRST

pytestmark = pytest.mark.engine

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": FIRST["question"]},
    {"role": "assistant", "content": "Grüße, 日本語."},
    {"role": "user", "content": "And what is an SU?"},
]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def ask(running: Running, path: str, body: dict[str, Any]) -> httpx.Response:
    base = running.facts["base_url"].removesuffix("/v1")
    headers = {"Authorization": f"Bearer {running.key}"}
    return httpx.post(base + path, json={"model": "curc-guide", **body}, headers=headers, timeout=120)


@pytest.mark.parametrize(
    "reasoning", [Reasoning(), Reasoning(("off", "on"), "enable_thinking"), Reasoning(("low", "on"))]
)
def test_all_controls_at_once_are_taken(running: Running, reasoning: Reasoning) -> None:
    written = {
        "temperature": "0",
        "top_p": "0,9",
        "max_tokens": "40",
        "seed": "7",
        "stop": "###\n\\n\\n",
        "json_schema": json.dumps(SCHEMA),
        "reasoning": "on",
    }
    fields = parse_controls(written).to_request(reasoning)
    fields = {**fields, **({"reasoning_effort": "low"} if "low" in reasoning.levels else {})}
    answer = ask(running, "/v1/chat/completions", {"messages": TALK[:2], **fields})
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"].startswith("{")


def test_a_count_asked_for_beforehand_is_the_one_of_the_answer(running: Running) -> None:
    body = {"messages": TALK, "max_tokens": 4}
    count = ask(running, "/tokenize", make_count_request(body)).json()["count"]
    assert count == ask(running, "/v1/chat/completions", body).json()["usage"]["prompt_tokens"]


def test_what_just_has_room_by_our_count_is_taken_by_vllm(running: Running) -> None:
    count = ask(running, "/tokenize", {"messages": TALK}).json()
    length = count["max_model_len"]
    most = length - count["count"]
    counted = Counted(TALK, count["count"])
    assert not measure(TALK, counted=counted, max_model_len=length, max_tokens=most).is_over
    assert measure(TALK, counted=counted, max_model_len=length, max_tokens=most + 1).is_over
    body = {"messages": TALK, "max_tokens": most, "stop": ["a", "e", " "]}
    answer = ask(running, "/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text


def test_the_default_that_is_shown_is_the_one_that_vllm_applies(running: Running) -> None:
    shown = load_defaults(DEMO_MODEL_DIR).render_placeholder("temperature")
    assert shown == "0 (model's default)"
    body = {"messages": TALK[:2], "max_tokens": 30}
    first, other = (
        ask(running, "/v1/chat/completions", {**body, **more}).json()["choices"][0]["message"]["content"]
        for more in ({}, {"temperature": 0})
    )
    assert first == other
