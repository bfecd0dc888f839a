from __future__ import annotations

import asyncio
from typing import Any

import pytest

from curc_llm.chat.gateway_client import GatewayClient, GatewayError
from curc_llm.chat.messages import ChatMessage, make_user_message, parse_text
from curc_llm.chat.sampling import Sampling
from curc_llm.chat.session_watch import SessionWatch
from curc_llm.chat.stream import Pace
from curc_llm.chat.turn import Turn, TurnRequest, explain_problem
from curc_llm.chat.turns import Turns
from curc_llm.session.record import EnginePhase, EngineRecord, Trouble
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

OOM = {"code": "out_of_memory", "message": "The GPU is full.", "remedy": "Use a shorter context."}


@pytest.fixture
def turn(client: GatewayClient, watch: SessionWatch) -> Turn:
    return Turn(client, watch, Pace())


def make_request(text: str = "hi", **more: Any) -> TurnRequest:
    return TurnRequest([make_user_message(text)], "curc-guide", **more)


def words(messages: list[ChatMessage]) -> str:
    """All that the last entries say."""
    return " | ".join(f"{m.get('metadata', {}).get('title', '')} {parse_text(m)}" for m in messages[1:])


async def run(turn: Turn, request: TurnRequest | None = None) -> list[list[ChatMessage]]:
    async with asyncio.timeout(8):
        return [messages async for messages in turn.run(request or make_request())]


async def test_a_turn_ends_with_the_answer_and_its_figures(gateway: FakeGateway, turn: Turn) -> None:
    last = (await run(turn))[-1]
    assert last[1]["content"] == "Hello there."
    assert "3 tokens" in words(last)
    assert "context used: 15 of 4,096" in words(last)


async def test_the_request_holds_what_was_set_and_asks_for_usage(gateway: FakeGateway, turn: Turn) -> None:
    request = make_request(system_prompt="Be brief.", sampling=Sampling(temperature=0.0, seed=1), user="ada")
    await run(turn, request)
    assert gateway.requests == [
        {
            "model": "curc-guide",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.0,
            "seed": 1,
        }
    ]
    assert set(gateway.users) == {"ada"}


async def test_a_message_waits_while_the_model_loads_and_is_then_sent(
    gateway: FakeGateway, turn: Turn
) -> None:
    gateway.record = make_record(status="starting", engines=[make_engine(phase="loading", progress=0.43)])
    steps = turn.run(make_request())
    waiting = await anext(steps)
    assert "Waiting for the model: loading the model into memory (43%)" in words(waiting)
    assert gateway.requests == []
    gateway.record = make_record()
    last = [messages async for messages in steps][-1]
    assert last[1]["content"] == "Hello there."
    assert len(gateway.requests) == 1


async def test_a_gateway_that_says_not_yet_is_asked_again(gateway: FakeGateway, turn: Turn) -> None:
    refusal = {"error": {"message": "Starting again.", "code": "engine_restarting"}}
    gateway.default = Reply(status=503, body=refusal)
    task = asyncio.create_task(run(turn))
    await asyncio.to_thread(gateway.wait_for, lambda g: len(g.requests) == 1)
    gateway.default = Reply("Here I am.")
    assert (await task)[-1][1]["content"] == "Here I am."


async def test_a_model_that_gave_up_is_told_with_its_remedy_and_nothing_is_sent(
    gateway: FakeGateway, turn: Turn
) -> None:
    gateway.record = make_record(engines=[make_engine(phase="failed", trouble=OOM)])
    last = (await run(turn))[-1]
    assert "The GPU is full." in words(last)
    assert "Use a shorter context." in words(last)
    assert gateway.requests == []


async def test_an_engine_that_dies_in_the_middle_leaves_its_text_and_the_reason(
    gateway: FakeGateway, turn: Turn
) -> None:
    gateway.default = Reply(
        "Half of", error={"message": "The engine stopped.", "code": "engine_failed"}, hold_after=1
    )
    task = asyncio.create_task(run(turn))
    await asyncio.to_thread(gateway.wait_for, lambda g: g.running == 1)
    gateway.record = make_record(engines=[make_engine(phase="restarting", trouble=OOM)])
    gateway.release()
    last = (await task)[-1]
    assert last[1]["content"] == "Half of"
    assert "The engine stopped. The GPU is full." in words(last)
    assert "It is being started again: retry" in words(last)


async def test_stop_while_waiting_takes_the_message_back(gateway: FakeGateway, turn: Turn) -> None:
    gateway.record = make_record(engines=[make_engine(phase="compiling")])
    steps = turn.run(make_request())
    await anext(steps)
    turn.stop()
    last = [messages async for messages in steps][-1]
    assert "Stopped before the model answered" in words(last)
    assert gateway.requests == []


async def test_an_ended_session_isnt_waited_for(gateway: FakeGateway, turn: Turn) -> None:
    reason = {"code": "idle", "message": "Nobody used it for 30 minutes.", "remedy": ""}
    gateway.record = make_record(status="ended", reason=reason)
    assert "Nobody used it" in words((await run(turn))[-1])


async def test_before_the_first_token_the_page_says_that_it_waits(gateway: FakeGateway, turn: Turn) -> None:
    gateway.default = Reply("one", hold_after=0)
    steps = turn.run(make_request())
    assert "Waiting for the first token" in words(await anext(steps))
    turn.stop()
    assert [messages async for messages in steps]


async def test_a_page_runs_one_turn_and_stop_finds_it(
    gateway: FakeGateway, client: GatewayClient, watch: SessionWatch
) -> None:
    gateway.default = Reply("one two three", hold_after=1)
    turns = Turns(client, watch)
    steps = turns.run("page-1", make_request())
    await anext(steps)
    assert turns.is_running("page-1")
    turns.stop("page-2")
    turns.stop("page-1")
    assert "stopped" in words([messages async for messages in steps][-1])
    assert not turns.is_running("page-1")


async def test_a_turn_that_is_dropped_shows_nothing_more(
    gateway: FakeGateway, client: GatewayClient, watch: SessionWatch
) -> None:
    gateway.default = Reply("one two three", hold_after=1)
    turns = Turns(client, watch)
    steps = turns.run("page-1", make_request())
    await anext(steps)
    turns.stop("page-1", silently=True)
    assert [messages async for messages in steps] == []
    await asyncio.to_thread(gateway.wait_for, lambda g: g.aborted == 1)


def test_a_reason_that_the_gateway_gave_already_isnt_said_twice() -> None:
    engine = EngineRecord(served_model_name="m", model="m", phase=EnginePhase.FAILED, trouble=Trouble(**OOM))
    told = explain_problem(GatewayError("It stopped: The GPU is full.", code="engine_failed"), engine)
    assert told.message == "It stopped: The GPU is full."
    assert told.remedy == "Use a shorter context."


def test_a_request_that_was_itself_wrong_isnt_blamed_on_the_engine() -> None:
    engine = EngineRecord(
        served_model_name="m", model="m", phase=EnginePhase.RESTARTING, trouble=Trouble(**OOM)
    )
    problem = GatewayError("Too many tokens.", code="context_length_exceeded")
    assert explain_problem(problem, engine) is problem
