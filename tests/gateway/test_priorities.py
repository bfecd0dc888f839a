"""Who goes first, who waits, and what each key may use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from curc_llm.gateway.channel import EngineTarget
from curc_llm.gateway.priority import Priority
from curc_llm.gateway.waiting import MOST_HOLDS, MOST_PASSES, Line, Ticket
from curc_llm.gateway.work import Work
from curc_llm.session.keys import add_key
from tests.fakes.fake_engine import FakeEngine, read_request
from tests.gateway.conftest import (
    Reply,
    RunningGateway,
    StartGateway,
    ask,
    open_connection,
    read_reply,
    render_request,
    wait_for,
)
from tests.gateway.test_routing import run_replicas

BATCH = {"X-Curc-Llm-Priority": "batch"}


@asynccontextmanager
async def run_engine(gateway: RunningGateway, slots: int, **behaviour: Any) -> AsyncIterator[FakeEngine]:
    """One engine with so many slots."""
    async with run_replicas(gateway, 1, max_num_seqs=slots, **behaviour) as engines:
        yield engines[0]


async def chat(gateway: RunningGateway, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
    body = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return await ask(gateway.port, "POST", "/v1/chat/completions", body, gateway.auth | (headers or {}))


async def waiting(gateway: RunningGateway) -> dict[str, int]:
    found: dict[str, int] = (await gateway.private("GET", "/status")).json["gateway"]["waiting"]
    return found


async def wait_for_waiting(gateway: RunningGateway, priority: str, count: int) -> None:
    async with asyncio.timeout(60):
        while (await waiting(gateway))[priority] != count:
            await asyncio.sleep(0.02)


def hurry(engine: FakeEngine) -> None:
    """What was set up beside a slow answer is there, however busy the machine was: now it may end."""
    engine.behaviour.token_s = 0.002


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("headers", "field", "sent"),
    [
        ({}, None, None),
        ({}, 0, 0),
        ({}, -5, 0),
        ({}, 3, 10),
        ({}, 50, 50),
        ({}, 10**9, 1000),
        (BATCH, None, 10),
        (BATCH, -1, 10),
        (BATCH, 20, 20),
        ({"X-Curc-Llm-Priority": "interactive"}, None, None),
    ],
)
async def test_vllm_is_told_who_goes_first_and_a_client_can_only_lower_itself(
    gateway: RunningGateway, engine: FakeEngine, headers: dict[str, str], field: int | None, sent: int | None
) -> None:
    for stream in (True, False):
        fields = {} if field is None else {"priority": field}
        assert (await chat(gateway, headers, stream=stream, **fields)).status == 200
        assert json.loads(engine.seen[-1]["body"]).get("priority") == sent


@pytest.mark.parametrize(
    ("fields", "priority"),
    [
        ({}, "interactive"),
        ({"scopes": ("batch",)}, "batch"),
        ({"scopes": ("chat", "batch")}, "interactive"),
        ({"priority": "batch"}, "batch"),
        ({"scopes": ("batch",), "priority": "interactive"}, "interactive"),
    ],
)
async def test_a_key_says_whether_its_requests_are_batch_work(
    gateway: RunningGateway, engine: FakeEngine, fields: dict[str, Any], priority: str
) -> None:
    key = add_key(gateway.paths.keys, "lab", **fields)
    await chat(gateway, auth(key))
    assert (await gateway.wait_log("access", 1))[0]["priority"] == priority


async def test_batch_work_leaves_slots_to_those_who_wait_for_an_answer(gateway: RunningGateway) -> None:
    async with run_engine(gateway, 8, token_s=0.02) as engine:
        batch = [asyncio.ensure_future(chat(gateway, BATCH, max_tokens=500)) for _ in range(12)]
        await wait_for_waiting(gateway, "batch", 5)
        await wait_for(lambda: engine.running == 7)  # of 8 slots one is kept
        assert (await chat(gateway, max_tokens=1)).status == 200
        line = (await gateway.wait_log("access", 1))[0]
        assert (line["priority"], line["status"]) == ("interactive", 200)
        assert line["queued_ms"] < 1000  # a batch request takes ten times as long
        for task in batch:
            task.cancel()


@pytest.mark.slow
async def test_one_batch_request_for_many_answers_leaves_slots_too(gateway: RunningGateway) -> None:
    async with run_engine(gateway, 8, token_s=0.25) as engine:
        many = asyncio.ensure_future(chat(gateway, BATCH, n=100, max_tokens=30))
        await wait_for(lambda: engine.running)
        assert (await chat(gateway, max_tokens=1)).status == 200
        assert not many.done()
        hurry(engine)
        assert (await many).status == 200
        replicas = (await gateway.private("GET", "/status")).json["gateway"]["replicas"]
        assert [(one["running"], one["batch"]) for one in replicas] == [(0, 0)]


async def test_interactive_requests_that_wait_go_before_batch_requests_that_waited_longer(
    gateway: RunningGateway,
) -> None:
    async with run_engine(gateway, 1, token_s=0.25) as engine:
        running = [asyncio.ensure_future(chat(gateway, max_tokens=30))]
        await wait_for(lambda: engine.running)
        batch = [asyncio.ensure_future(chat(gateway, BATCH, user="late")) for _ in range(3)]
        await wait_for_waiting(gateway, "batch", 3)
        hurried = [asyncio.ensure_future(chat(gateway, user="soon")) for _ in range(3)]
        await wait_for_waiting(gateway, "interactive", 3)
        hurry(engine)
        await asyncio.gather(*running, *batch, *hurried)
        order = [json.loads(request["body"]).get("user") for request in engine.seen[1:]]
        assert order == ["soon"] * 3 + ["late"] * 3
        lines = await gateway.wait_log("access", 7)
        assert all(line["queued_ms"] > 20 for line in lines if line["priority"] == "batch")


@pytest.mark.slow
async def test_a_key_that_asks_for_much_doesn_t_keep_another_waiting(gateway: RunningGateway) -> None:
    greedy, modest = (add_key(gateway.paths.keys, name) for name in ("greedy", "modest"))
    async with run_engine(gateway, 1, tokens=20, token_s=0.25) as engine:
        asked = [asyncio.ensure_future(chat(gateway, auth(greedy), user="greedy")) for _ in range(20)]
        await wait_for_waiting(gateway, "interactive", 19)
        asked.append(asyncio.ensure_future(chat(gateway, auth(modest), user="modest")))
        await wait_for_waiting(gateway, "interactive", 20)
        hurry(engine)
        await asyncio.gather(*asked)
        order = [json.loads(request["body"])["user"] for request in engine.seen]
        assert order.index("modest") < 5


@pytest.mark.slow
async def test_a_thousand_requests_wait_and_are_all_answered(gateway: RunningGateway) -> None:
    may_answer, most, running = asyncio.Event(), 0, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most, running
        while await read_request(reader):
            running += 1
            most = max(most, running)
            await may_answer.wait()
            running -= 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    await gateway.start_server("fake", serve)
    await gateway.tell(engines=(EngineTarget("fake", gateway.socket_of("fake"), "ready", max_num_seqs=32),))
    tasks = [asyncio.ensure_future(ask_patiently(gateway)) for _ in range(1000)]
    await wait_for_waiting(gateway, "interactive", 968)
    may_answer.set()
    assert {reply.status for reply in await asyncio.gather(*tasks)} == {200}
    assert most == 32
    assert (await waiting(gateway)) == {"interactive": 0, "batch": 0}


async def ask_patiently(gateway: RunningGateway) -> Reply:
    reader, writer = await open_connection(gateway.port)
    body = {"model": "fake", "messages": [], "max_tokens": 1}
    writer.write(render_request("POST", "/v1/chat/completions", body, gateway.auth))
    reply = await read_reply(reader)
    writer.close()
    return reply


async def test_a_full_queue_is_told_with_the_time_to_wait_and_each_class_has_its_own(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway(waiting=3)
    async with run_engine(gateway, 2, token_s=0.02):
        tasks = [asyncio.ensure_future(chat(gateway, BATCH, max_tokens=450)) for _ in range(4)]
        await wait_for_waiting(gateway, "batch", 3)
        reply = await chat(gateway, BATCH)
        assert (reply.status, reply.code) == (429, "queue_full")
        assert 1 <= int(reply.headers["retry-after"]) <= 120
        assert (
            "3 batch requests wait already, as many as this session keeps" in reply.json["error"]["message"]
        )
        assert (await chat(gateway, max_tokens=1)).status == 200
        for task in tasks:
            task.cancel()


async def test_large_requests_that_wait_can_t_take_all_memory(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(waiting_mib=1)
    async with run_engine(gateway, 1, token_s=0.05) as engine:
        first = asyncio.ensure_future(chat(gateway, max_tokens=200))
        await wait_for(lambda: engine.running)
        reply = await chat(gateway, user="x" * 2**20)
        assert (reply.status, reply.code) == (429, "queue_full")
        first.cancel()


@pytest.mark.slow
async def test_what_waits_for_an_exchanged_model_counts_among_all_that_waits(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway(waiting_mib=1)
    swap = {"from_model": "fake", "to_model": "new", "phase": "starting"}
    async with run_engine(gateway, 1, token_s=0.05) as engine:
        await gateway.tell(record={"engines": [{"swap": swap}]})
        coming = asyncio.ensure_future(chat(gateway, model="new", user="x" * 700_000))
        first = asyncio.ensure_future(chat(gateway, max_tokens=200))
        await wait_for(lambda: engine.running)
        await wait_until_held(gateway, coming)
        reply = await chat(gateway, user="x" * 700_000)
        assert (reply.status, reply.code) == (429, "queue_full")
        reply = await chat(gateway, model="new", user="x" * 700_000)  # isn't held, but told at once
        assert (reply.status, reply.code) == (503, "model_swapping")
        assert not coming.done()
        first.cancel()
        coming.cancel()


async def wait_until_held(gateway: RunningGateway, waiting: asyncio.Future[Reply]) -> None:
    """Until one that was sent before has been read whole: a second one of its kind is told at once."""
    while not await is_told_at_once(gateway):
        assert not waiting.done()


async def is_told_at_once(gateway: RunningGateway) -> bool:
    try:
        async with asyncio.timeout(0.5):
            return (await chat(gateway, model="new", user="x" * 700_000)).code == "model_swapping"
    except TimeoutError:
        return False  # it was held itself, and has left


async def test_who_leaves_while_waiting_leaves_the_queue(gateway: RunningGateway) -> None:
    async with run_engine(gateway, 1, token_s=0.25) as engine:
        first = asyncio.ensure_future(chat(gateway, max_tokens=30))
        await wait_for(lambda: engine.running)
        _, writer = await open_connection(gateway.port)
        body = {"model": "fake", "messages": []}
        writer.write(render_request("POST", "/v1/chat/completions", body, gateway.auth))
        await wait_for_waiting(gateway, "interactive", 1)
        writer.close()
        await wait_for_waiting(gateway, "interactive", 0)
        hurry(engine)
        await first
        assert len(engine.seen) == 1
        assert sorted(line["status"] for line in await gateway.wait_log("access", 2)) == [200, 499]


async def test_who_waits_for_a_model_that_stops_is_told_so(gateway: RunningGateway) -> None:
    async with run_engine(gateway, 1, token_s=0.02) as engine:
        first = asyncio.ensure_future(chat(gateway, max_tokens=100))
        await wait_for(lambda: engine.running)
        second = asyncio.ensure_future(chat(gateway))
        await wait_for_waiting(gateway, "interactive", 1)
        target = gateway.state.engines[0]
        await gateway.tell(engines=(EngineTarget("fake", target.socket, "restarting", target.id),))
        reply = await second
        assert (reply.status, reply.code) == (503, "engine_restarting")
        first.cancel()


@pytest.mark.slow
async def test_a_stream_that_waits_long_gets_comments_so_that_no_proxy_gives_up(
    gateway: RunningGateway,
) -> None:
    async with run_engine(gateway, 1, token_s=0.25) as engine:
        first = asyncio.ensure_future(chat(gateway, max_tokens=30))
        await wait_for(lambda: engine.running)
        second = asyncio.ensure_future(chat(gateway, stream=True, max_tokens=2))
        await wait_for_waiting(gateway, "interactive", 1)
        await asyncio.sleep(0.5)  # several heartbeats
        hurry(engine)
        await first
        reply = await second
        assert reply.events[0] == ": keep-alive"
        assert reply.events[-1] == "[DONE]"
        assert reply.headers["content-type"].startswith("text/event-stream")


@pytest.mark.slow
async def test_a_stream_that_waited_long_is_told_an_error_as_an_event(gateway: RunningGateway) -> None:
    async with run_engine(gateway, 1, token_s=0.25) as engine:
        first = asyncio.ensure_future(chat(gateway, max_tokens=30))
        await wait_for(lambda: engine.running)
        second = asyncio.ensure_future(chat(gateway, stream=True))
        await wait_for_waiting(gateway, "interactive", 1)
        await asyncio.sleep(0.5)  # longer than the heartbeat: the answer has begun
        engine.behaviour.status = 400
        hurry(engine)
        await first
        reply = await second
        assert reply.status == 200
        assert json.loads(reply.events[-1])["error"]["message"] == "The fake engine was told to refuse."


@pytest.mark.slow
async def test_a_key_may_make_only_so_many_requests_at_once(gateway: RunningGateway) -> None:
    key = add_key(gateway.paths.keys, "lab", concurrency=2)
    async with run_engine(gateway, 8, token_s=0.25) as engine:
        tasks = [asyncio.ensure_future(chat(gateway, auth(key), max_tokens=30)) for _ in range(2)]
        await wait_for(lambda: engine.running == 2)
        reply = await chat(gateway, auth(key))
        assert (reply.status, reply.code) == (429, "concurrency_exceeded")
        assert reply.headers["retry-after"] == "1"
        assert "The key 'lab' may make 2 requests at once" in reply.json["error"]["message"]
        assert (await chat(gateway, max_tokens=1)).status == 200  # another's key
        hurry(engine)
        await asyncio.gather(*tasks)
        assert (await chat(gateway, auth(key))).status == 200


async def test_a_key_may_use_only_so_many_tokens_a_minute(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    key = add_key(gateway.paths.keys, "lab", tokens_per_minute=20)
    assert (await chat(gateway, auth(key), max_tokens=30, stream=True)).status == 200  # 7 and 30 tokens
    await gateway.wait_log("access", 1)
    reply = await chat(gateway, auth(key))
    assert (reply.status, reply.code) == (429, "rate_limit_exceeded")
    assert 30 <= int(reply.headers["retry-after"]) <= 60  # 17 tokens of debt, and one to begin with
    assert "20 tokens a minute" in reply.json["error"]["message"]


async def test_a_request_that_was_refused_uses_none_of_a_key_s_tokens(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(waiting=0)
    key = add_key(gateway.paths.keys, "lab", tokens_per_minute=20)
    async with run_engine(gateway, 1, token_s=0.25) as engine:
        other = asyncio.ensure_future(chat(gateway, max_tokens=30))
        await wait_for(lambda: engine.running)
        for _ in range(10):
            reply = await chat(gateway, auth(key), messages=[{"role": "user", "content": "word " * 8}])
            assert reply.code == "queue_full"
        hurry(engine)
        await other
        assert (await chat(gateway, auth(key), max_tokens=1)).status == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_who_leaves_before_the_answer_begins_has_used_the_prompt_all_the_same(
    gateway: RunningGateway, stream: bool
) -> None:
    key = add_key(gateway.paths.keys, "lab", tokens_per_minute=20)
    body = {"model": "fake", "messages": [{"role": "user", "content": "word " * 80}], "stream": stream}
    async with run_engine(gateway, 4, first_token_s=60) as engine:
        _, writer = await open_connection(gateway.port)
        writer.write(render_request("POST", "/v1/chat/completions", body, auth(key)))
        await wait_for(lambda: engine.running)
        writer.close()
        assert (await gateway.wait_log("access", 1))[0]["status"] == 499
        reply = await chat(gateway, auth(key))
        assert (reply.status, reply.code) == (429, "rate_limit_exceeded")


async def test_figures_tell_who_waits_and_how_each_replica_is_doing(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 2, max_num_seqs=2, token_s=0.02) as engines:
        tasks = [asyncio.ensure_future(chat(gateway, BATCH, max_tokens=300)) for _ in range(4)]
        await wait_for_waiting(gateway, "batch", 2)
        figures = (await gateway.private("GET", "/status")).json["gateway"]
        assert [(r["id"], r["running"], r["is_healthy"]) for r in figures["replicas"]] == [
            ("r0", 1, True),
            ("r1", 1, True),
        ]
        text = (await gateway.ask("GET", "/metrics", headers=gateway.auth)).body.decode()
        assert 'curc_llm_requests_waiting{priority="batch"} 2.0' in text
        assert 'curc_llm_replica_healthy{model="fake",replica="r1"} 1.0' in text
        # Two engines of one name are two series.
        assert 'vllm:num_requests_running{replica="r0",model_name="fake"} 1' in text
        assert 'vllm:num_requests_running{replica="r1",model_name="fake"} 1' in text
        for task in tasks:
            task.cancel()
        await wait_for(lambda: not any(engine.running for engine in engines))


def test_classes_come_first_then_keys_by_turns() -> None:
    line = Line()
    for key, priority in [("b", "batch"), ("a", "interactive"), ("a", "interactive"), ("c", "interactive")]:
        line.push(Ticket("m", "m", key, Priority(priority)))
    took = [line.take(lambda _: True) for _ in range(5)]
    assert [ticket.key if ticket else None for ticket in took] == ["a", "c", "a", "b", None]


def test_who_can_t_be_placed_doesn_t_hold_up_the_others() -> None:
    line = Line()
    for key in ("a", "b"):
        line.push(Ticket("m", "m", key))
    took = line.take(lambda ticket: ticket.key == "b")
    assert took is not None
    assert took.key == "b"
    assert [ticket.key for ticket in line] == ["a"]


def test_small_requests_pass_a_large_one_but_not_for_ever() -> None:
    line, free = Line(), 1

    def place(ticket: Ticket) -> bool:
        return ticket.work.sequences <= free

    line.push(Ticket("m", "m", "large", work=Work(sequences=4)))
    for _ in range(MOST_PASSES + 5):
        line.push(Ticket("m", "m", "small"))
    passed = 0
    while (ticket := line.take(place)) is not None:
        assert ticket.key == "small"
        passed += 1
    assert passed == MOST_PASSES
    free = 4  # those who ran have ended meanwhile
    taken = line.take(place)
    assert taken is not None
    assert taken.key == "large"
    assert len(list(line)) == 5


def test_slots_kept_in_vain_for_a_large_one_are_given_to_others_again() -> None:
    """Interactive ones may take each slot that is kept for a large batch request."""
    line = Line()
    line.push(Ticket("m", "m", "large", work=Work(sequences=4)))
    for _ in range(2 * MOST_PASSES):
        line.push(Ticket("m", "m", "small"))
    taken = [line.take(lambda ticket: ticket.key == "small") for _ in range(2 * MOST_PASSES + MOST_HOLDS)]
    assert sum(ticket is not None for ticket in taken) == 2 * MOST_PASSES


def test_in_a_line_of_thousands_only_the_first_of_each_key_is_looked_at() -> None:
    line, looked = Line(), []
    for i in range(5000):
        line.push(Ticket("m", "m", f"key{i % 50}"))

    def place(ticket: Ticket) -> bool:
        looked.append(ticket)
        return False

    assert line.take(place) is None
    assert [ticket.key for ticket in looked] == [f"key{i}" for i in range(50)]
