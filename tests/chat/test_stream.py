from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.stream import AnswerStream, Pace
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


@pytest.mark.slow
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
    pace.streams = 99
    gateway.default = Reply("one two", hold_after=1)
    async with contextlib.aclosing(make_stream(client, pace).updates()) as updates:
        await anext(updates)
        assert pace.interval_s == 100 / 250
    pace.streams = 25
    assert pace.interval_s == 0.1


def test_updates_become_rarer_while_the_core_is_busy_and_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    now, spent = [0.0], [0.0]
    monkeypatch.setattr("curc_llm.chat.stream.time.monotonic", lambda: now[0])
    pace = Pace(lambda: spent[0])
    intervals = []
    for cores in [1.2] * 6 + [0.2] * 12:
        now[0] += 0.5
        spent[0] += 0.5 * cores
        intervals.append(pace.interval_s)
    assert intervals[0] == pytest.approx(0.15)
    assert max(intervals) == pytest.approx(0.4)
    assert intervals[-1] == pytest.approx(0.1)


@pytest.mark.slow
async def test_pieces_gather_between_two_looks_and_none_is_lost(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.default = Reply(" ".join(f"word{number}" for number in range(200)), gap_s=0.001)
    grown: list[str] = []
    stream = AnswerStream(client, BODY, "owner", Pace(), lambda answer: grown.append(answer.text))
    *_, answer = [answer async for answer in stream.updates()]
    assert answer.text == " ".join(f"word{number}" for number in range(200))
    assert len(grown) < answer.deltas / 3
    assert grown[-1] == answer.text


def test_updates_become_rarer_when_the_loop_comes_late() -> None:
    pace = Pace(lambda: 0.0)
    for _ in range(60):
        pace.note_late(0.2)
    pace._looked = (pace._looked[0] - 1, 0.0)
    assert pace.interval_s == pytest.approx(0.15)
