from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.stream import CROWD_STREAMS, AnswerStream, Pace
from tests.fakes.fake_gateway import FakeGateway, Reply

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def make_stream(client: GatewayClient, pace: Pace | None = None) -> AnswerStream:
    return AnswerStream(client, BODY, "owner", pace or Pace())


async def test_the_first_token_is_shown_at_once_and_the_rest_in_few_updates(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.default = Reply("word" * 100, gap_s=0.003)
    seen = [answer.deltas async for answer in make_stream(client).updates()]
    assert seen[0] <= 3
    assert seen[-1] == 100
    assert len(seen) < 15


async def test_stopping_keeps_what_came_and_ends_the_generation(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.default = Reply("one two three", hold_after=2)
    stream = make_stream(client)
    async for answer in stream.updates():
        if answer.deltas == 2:
            stream.stop()
    assert answer.stopped
    assert answer.text == "one two "
    await asyncio.to_thread(gateway.wait_for, lambda g: g.aborted == 1 and g.running == 0)


async def test_a_stream_that_is_stopped_before_it_starts_sends_nothing(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    stream = make_stream(client)
    stream.stop()
    async with asyncio.timeout(5):
        answers = [answer async for answer in stream.updates()]
    assert answers[-1].is_empty
    assert gateway.requests == []


async def test_a_closed_tab_ends_the_generation(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.default = Reply("one two three", hold_after=1)
    async with contextlib.aclosing(make_stream(client).updates()) as updates:
        await anext(updates)
    await asyncio.to_thread(gateway.wait_for, lambda g: g.aborted == 1 and g.running == 0)


async def test_a_silent_stream_still_gives_signs_of_life(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.default = Reply("one", hold_after=0)
    async with contextlib.aclosing(make_stream(client).updates()) as updates, asyncio.timeout(5):
        answer = await anext(updates)
    assert answer.is_empty


async def test_what_broke_is_on_the_answer(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.default = Reply("Half", error={"message": "Out of memory.", "code": "engine_failed"})
    *_, answer = [answer async for answer in make_stream(client).updates()]
    assert answer.text == "Half"
    assert answer.problem is not None
    assert answer.problem.code == "engine_failed"


async def test_updates_slow_down_in_a_crowd_and_recover(gateway: FakeGateway, client: GatewayClient) -> None:
    pace = Pace()
    assert pace.interval_s == 0.1
    pace.streams = CROWD_STREAMS
    gateway.default = Reply("one two", hold_after=1)
    async with contextlib.aclosing(make_stream(client, pace).updates()) as updates:
        await anext(updates)
        assert pace.interval_s == 0.25
    assert pace.interval_s == 0.1
