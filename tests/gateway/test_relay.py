"""Requests to engines, as a client sees them."""

from __future__ import annotations

import json
from tests.fakes.fake_engine import FakeEngine

from tests.gateway.conftest import RunningGateway


async def test_a_chat_without_streaming_is_answered_as_the_engine_answers(gateway: RunningGateway, engine: FakeEngine) -> None:
    reply = await gateway.chat(max_tokens=3)
    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] == "word0 word1 word2"
    assert reply.json["usage"]["completion_tokens"] == 3


async def test_a_stream_arrives_whole_and_without_the_usage_that_nobody_asked_for(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reply = await gateway.chat(stream=True, max_tokens=4)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.events[-1] == "[DONE]"
    texts = [json.loads(event)["choices"][0]["delta"]["content"] for event in reply.events[:-1]]
    assert "".join(texts) == "word0 word1 word2 word3"
    assert json.loads(engine.seen[-1]["body"])["stream_options"] == {"include_usage": True}
