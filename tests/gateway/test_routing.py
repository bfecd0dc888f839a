"""Several engines behind one endpoint: which one answers, and what happens when one can't."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.gateway.channel import EngineTarget
from curc_llm.gateway.routing import AFFINITY, Load, Prefixes, choose
from curc_llm.gateway.work import measure_work
from curc_llm.session.keys import add_key
from tests.fakes.fake_engine import FakeEngine, run_fake_engine
from tests.gateway.conftest import (
    RunningGateway,
    StartGateway,
    ask,
    open_connection,
    render_request,
    wait_for,
)
from tests.gateway.test_relay import said


@asynccontextmanager
async def run_replicas(
    gateway: RunningGateway, count: int, *, max_num_seqs: int = 0, **behaviour: Any
) -> AsyncIterator[list[FakeEngine]]:
    """So many engines that all serve `fake`, and of which the gateway knows."""
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(run_fake_engine(gateway.socket_of(f"r{i}"), "fake", **behaviour))
            for i in range(count)
        ]
        await gateway.tell(
            engines=tuple(
                EngineTarget("fake", gateway.socket_of(f"r{i}"), "ready", f"r{i}", max_num_seqs=max_num_seqs)
                for i in range(count)
            )
        )
        yield engines


def count_chats(engine: FakeEngine) -> int:
    return sum(request["path"] == "/v1/chat/completions" for request in engine.seen)


def turn(*texts: str) -> list[dict[str, str]]:
    """A conversation: question, answer, question …"""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


@pytest.mark.slow
async def test_requests_are_spread_over_the_replicas(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 3, token_s=0.2) as engines:
        replies = await asyncio.gather(*(gateway.chat(messages=turn(f"{i}")) for i in range(12)))
        assert {reply.status for reply in replies} == {200}
        assert [count_chats(engine) for engine in engines] == [4, 4, 4]


@pytest.mark.slow
async def test_a_model_with_replicas_is_listed_once(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 2):
        models = (await gateway.ask("GET", "/v1/models", headers=gateway.auth)).json["data"]
        assert [model["id"] for model in models] == ["fake"]


async def test_a_chat_goes_on_where_it_began(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 3) as engines:
        chats = [[f"Question {i}, " + "with some words. " * 40] for i in range(6)]
        for _ in range(4):
            for chat in chats:
                await gateway.chat(messages=turn(*chat))
                chat += ["An answer. " * 20, "And then?"]
        homes = {json.loads(r["body"])["messages"][0]["content"][:10]: set() for e in engines for r in e.seen}
        for number, engine in enumerate(engines):
            for request in engine.seen:
                homes[json.loads(request["body"])["messages"][0]["content"][:10]].add(number)
        assert len(homes) == 6
        assert all(len(home) == 1 for home in homes.values())
        assert all(count_chats(engine) for engine in engines)


async def test_a_replica_that_can_t_be_reached_costs_no_request(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 2) as engines:
        await gateway.tell(
            engines=(*gateway.state.engines, EngineTarget("fake", gateway.socket_of("none"), "ready", "gone"))
        )
        replies = [await gateway.chat(messages=turn(f"{i}")) for i in range(8)]
        assert {reply.status for reply in replies} == {200}
        assert sum(count_chats(engine) for engine in engines) == 8
        lines = await gateway.wait_log("access", 8)
        # After it has failed it is left alone for a second, then for two: on a busy machine they may pass.
        assert 1 <= sum(line["retries"] for line in lines) <= 3
        assert {line["replica"] for line in lines} == {"r0", "r1"}


async def test_a_request_that_fails_before_its_first_byte_is_answered_by_another_replica(
    gateway: RunningGateway,
) -> None:
    async with run_replicas(gateway, 2) as engines:
        for behaviour in ({"die_after": 0}, {"core_dies_after": 0}, {"silent_s": 0.01, "die_after": 0}):
            for engine in engines:
                engine.seen.clear()
            for name, value in behaviour.items():
                setattr(engines[0].behaviour, name, value)
            replies = [await gateway.chat(stream=True, max_tokens=3, messages=turn(f"{i}")) for i in range(2)]
            assert [said(reply) for reply in replies] == ["word0 word1 word2"] * 2
            assert count_chats(engines[0]) <= 1  # never to the same again
            engines[0].behaviour.die_after = engines[0].behaviour.core_dies_after = None
            await gateway.tell(engines=tuple(_with_phase(gateway, "restarting")))
            await gateway.tell(engines=tuple(_with_phase(gateway, "ready")))


def _with_phase(gateway: RunningGateway, phase: str) -> list[EngineTarget]:
    return [EngineTarget(t.served_model_name, t.socket, phase, t.id) for t in gateway.state.engines]


async def test_a_stream_whose_head_has_come_but_no_token_is_answered_by_another_replica(
    gateway: RunningGateway,
) -> None:
    async with run_replicas(gateway, 2, silent_s=0.05) as engines:
        asking = asyncio.ensure_future(gateway.chat(stream=True, max_tokens=2))
        busy = await wait_for(lambda: next((e for e in engines if e.running), None))
        busy.cut_all()
        assert said(await asking) == "word0 word1"
        line = (await gateway.wait_log("access", 1))[0]
        assert (line["status"], line["retries"]) == (200, 1)


async def test_a_stream_that_has_begun_isn_t_begun_again(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 2, die_after=2) as engines:
        reply = await gateway.chat(stream=True, max_tokens=5)
        assert json.loads(reply.events[-1])["error"]["code"] == "engine_failed"
        assert sum(count_chats(engine) for engine in engines) == 1
        line = (await gateway.wait_log("access", 1))[0]
        assert (line["status"], line["retries"]) == (502, 0)


@pytest.mark.slow
async def test_a_silent_stream_gets_its_head_and_comments_all_the_same(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 2, silent_s=0.5):
        reply = await gateway.chat(stream=True, max_tokens=1)
        assert ": keep-alive" in reply.body.decode()
        assert reply.events[-1] == "[DONE]"


async def test_when_every_replica_fails_each_was_asked_once(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 3, die_after=0) as engines:
        reply = await gateway.chat()
        assert (reply.status, reply.code) == (502, "engine_failed")
        assert [count_chats(engine) for engine in engines] == [1, 1, 1]


async def test_replicas_that_aren_t_ready_are_left_out_and_503_comes_only_when_none_is(
    gateway: RunningGateway,
) -> None:
    async with run_replicas(gateway, 2) as engines:
        first, second = gateway.state.engines
        loading = EngineTarget("fake", first.socket, "loading", first.id)
        await gateway.tell(engines=(loading, second))
        assert {(await gateway.chat()).status for _ in range(4)} == {200}
        assert count_chats(engines[0]) == 0
        failed = EngineTarget("fake", second.socket, "failed", second.id)
        await gateway.tell(engines=(failed, loading))
        reply = await gateway.chat()
        assert (reply.status, reply.code) == (503, "model_loading")
        assert (await gateway.ask("GET", "/health")).json == {"status": "failed"}


async def test_an_adapter_is_a_model_whose_parent_is_its_engine_s(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 2) as engines:
        first, second = gateway.state.engines
        with_adapter = EngineTarget("fake", second.socket, "ready", second.id, adapters=("poet",))
        engines[1].adapters["poet"] = "/adapters/poet"
        await gateway.tell(engines=(first, with_adapter))
        models = (await gateway.ask("GET", "/v1/models", headers=gateway.auth)).json["data"]
        assert [(m["id"], m["parent"]) for m in models] == [("fake", None), ("poet", "fake")]
        one = (await gateway.ask("GET", "/v1/models/poet", headers=gateway.auth)).json
        assert one["parent"] == "fake"
        for _ in range(3):
            assert (await gateway.chat(model="poet")).json["model"] == "poet"
        assert [count_chats(engine) for engine in engines] == [0, 3]
        key = add_key(gateway.paths.keys, "lab", models=("fake",))
        body = {"model": "poet", "messages": []}
        auth = {"Authorization": f"Bearer {key}"}
        reply = await gateway.ask("POST", "/v1/chat/completions", body, auth)
        assert (reply.status, reply.code) == (403, "permission_denied")


async def test_replicas_killed_one_after_the_other_lose_no_request_that_had_not_begun(
    gateway: RunningGateway,
) -> None:
    async with run_replicas(gateway, 3, token_s=0.002) as engines:
        replies: list[Any] = []

        async def ask_on(number: int) -> None:
            for i in range(15):
                reply = await gateway.chat(stream=True, max_tokens=6, messages=turn(f"{number} {i}"))
                replies.append(reply)

        clients = [asyncio.ensure_future(ask_on(n)) for n in range(8)]
        for engine in engines:
            await wait_for(lambda e=engine: e.running or all(c.done() for c in clients))
            engine.cut_all()
        await asyncio.gather(*clients)
        begun = [r for r in replies if r.status == 200]
        assert len(begun) == len(replies) == 120  # whoever hadn't had a byte was answered
        broken = [r for r in begun if r.events[-1] != "[DONE]"]
        assert all(said(r) == "word0 word1 word2 word3 word4 word5" for r in begun if r not in broken)
        assert {json.loads(r.events[-1])["error"]["code"] for r in broken} <= {"engine_failed"}


async def test_a_client_that_leaves_ends_the_request_at_its_replica(gateway: RunningGateway) -> None:
    async with run_replicas(gateway, 2, silent_s=30) as engines:
        _, writer = await open_connection(gateway.port)
        body = {"model": "fake", "messages": [], "stream": True}
        writer.write(render_request("POST", "/v1/chat/completions", body, gateway.auth))
        await wait_for(lambda: sum(e.running for e in engines))
        writer.close()
        await wait_for(lambda: sum(e.aborted for e in engines) == 1)
        line = (await gateway.wait_log("access", 1))[0]
        assert (line["status"], line["retries"]) == (499, 0)


@pytest.mark.slow
async def test_who_leaves_between_two_replicas_doesn_t_cut_the_answer_of_another(
    gateway: RunningGateway,
) -> None:
    """The first one's connection, given back, carries the second request when the first client leaves."""
    async with run_replicas(gateway, 1, core_dies_after=0) as engines:
        with run_deaf_server() as port:
            deaf = EngineTarget("fake", "", "ready", "deaf", f"http://127.0.0.1:{port}")
            await gateway.tell(engines=(*gateway.state.engines, deaf))
            _, writer = await open_connection(gateway.port)
            body = {"model": "fake", "messages": turn("first" * 100)}
            writer.write(render_request("POST", "/v1/chat/completions", body, gateway.auth))
            await wait_for(lambda: engines[0].finished == 1)  # it said that it dies; now the other is called
            await asyncio.sleep(1.1)  # so long it is left alone
            engines[0].behaviour.core_dies_after, engines[0].behaviour.token_s = None, 0.05
            asking = asyncio.ensure_future(gateway.chat(stream=True, max_tokens=10))
            await wait_for(lambda: engines[0].running)
            writer.close()
            reply = await asking
            assert reply.events[-1] == "[DONE]"
            assert engines[0].connections == 1


@contextmanager
def run_deaf_server() -> Iterator[int]:
    """The port of somebody who takes no connection, and refuses none."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = server.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@given(st.lists(st.text(min_size=1, max_size=3000), min_size=1, max_size=6), st.integers(0, 5))
def test_what_begins_alike_has_marks_in_common(texts: list[str], kept: int) -> None:
    whole = measure_work({"messages": turn(*texts)}, 0, with_marks=True).marks
    part = measure_work({"messages": turn(*texts[:kept])}, 0, with_marks=True).marks
    assert whole[: len(part)] == part
    other = measure_work({"model": "other", "messages": turn(*texts)}, 0, with_marks=True).marks
    assert not {mark for mark, _ in other} & {mark for mark, _ in whole}


def test_a_long_document_with_another_question_is_known_by_its_first_half() -> None:
    prefixes, load = Prefixes(), Load()
    document = "Once upon a time. " * 1000
    prefixes.note(measure_work({"prompt": document + "Who?"}, 0, with_marks=True).marks, load.epoch)
    matched = prefixes.match(
        measure_work({"prompt": document + "When?"}, 0, with_marks=True).marks, {load.epoch}
    )
    assert matched[load.epoch] >= len(document) // 2


def test_a_clearly_busier_replica_loses_even_its_own_chats() -> None:
    busy, idle = Load(), Load()
    matched = {busy.epoch: 4000}  # 1,000 tokens
    busy.tokens = AFFINITY * 1000 - 1
    assert choose([("busy", busy), ("idle", idle)], matched, 1000) == "busy"
    busy.tokens = AFFINITY * 1000 + 1
    assert choose([("busy", busy), ("idle", idle)], matched, 1000) == "idle"


def test_what_is_remembered_of_beginnings_is_bounded() -> None:
    prefixes = Prefixes(most=100)
    for i in range(1000):
        prefixes.note(((i, 10),), 1)
    assert len(prefixes) == 100
    assert prefixes.match(((999, 10),), {1}) == {1: 10}
    assert prefixes.match(((0, 10),), {1}) == {}


def test_an_unhealthy_replica_is_left_alone_for_longer_each_time_but_never_for_ever() -> None:
    load, waits = Load(), []
    for _ in range(8):
        load.fail(100.0)
        waits.append(load.retry_at - 100)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert not load.is_healthy(129)
    assert load.is_healthy(130)
    load.succeed()
    assert load.is_healthy(0)


async def serve_other(gateway: RunningGateway, other: RunningGateway, key: str, *more: EngineTarget) -> None:
    """Tells a gateway of an engine behind another one."""
    key_file = gateway.paths.root / "other.key"
    key_file.write_text(key)
    key_file.chmod(0o600)
    url = f"http://127.0.0.1:{other.port}"
    remote = EngineTarget("fake", "", "ready", "other", url, str(key_file))
    await gateway.tell(engines=(remote, *more))


async def start_two(start_gateway: StartGateway, tmp_path: Any) -> tuple[RunningGateway, RunningGateway]:
    return await start_gateway(heartbeat_s=0.08), await start_gateway(
        root=tmp_path / "other", heartbeat_s=0.08
    )


async def test_an_engine_in_another_job_answers_through_its_gateway(
    start_gateway: StartGateway, tmp_path: Any
) -> None:
    here, there = await start_two(start_gateway, tmp_path)
    async with run_fake_engine(there.socket_of("fake")) as engine:
        await there.serve("fake")
        await serve_other(here, there, there.key)
        assert said(await here.chat(stream=True, max_tokens=3)) == "word0 word1 word2"
        assert (await here.chat(max_tokens=2)).json["usage"]["completion_tokens"] == 2
        engine.behaviour.status = 400
        assert (await here.chat()).json["error"]["message"] == "The fake engine was told to refuse."
        line = (await there.wait_log("access", 1))[0]
        assert (line["key"], line["status"]) == ("owner", 200)


async def test_a_client_that_leaves_ends_the_request_in_the_other_job(
    start_gateway: StartGateway, tmp_path: Any
) -> None:
    here, there = await start_two(start_gateway, tmp_path)
    async with run_fake_engine(there.socket_of("fake"), token_s=0.01) as engine:
        await there.serve("fake")
        await serve_other(here, there, there.key)
        _, writer = await open_connection(here.port)
        body = {"model": "fake", "messages": [], "stream": True, "max_tokens": 10_000}
        writer.write(render_request("POST", "/v1/chat/completions", body, here.auth))
        await wait_for(lambda: engine.running)
        writer.close()
        await wait_for(lambda: engine.aborted == 1)


async def test_a_refused_key_or_a_job_that_is_gone_costs_no_request(
    start_gateway: StartGateway, tmp_path: Any
) -> None:
    here, there = await start_two(start_gateway, tmp_path)
    own = EngineTarget("fake", here.socket_of("fake"), "ready", "own")
    async with run_fake_engine(there.socket_of("fake")), run_fake_engine(here.socket_of("fake")) as engine:
        await there.serve("fake")
        await serve_other(here, there, "curc-" + "x" * 43, own)
        assert {(await here.chat(messages=turn(f"{i}"))).status for i in range(4)} == {200}
        assert count_chats(engine) == 4
        await serve_other(here, there, there.key)
        (here.paths.root / "other.key").chmod(0o644)
        await asyncio.sleep(0)
        await here.tell(engines=(EngineTarget("fake", "", "ready", "gone", "http://127.0.0.1:1"), own))
        assert {(await here.chat(messages=turn(f"{i}"))).status for i in range(4)} == {200}


async def test_a_refused_key_is_told_as_the_owner_s_trouble_when_nobody_else_can_answer(
    start_gateway: StartGateway, tmp_path: Any
) -> None:
    here, there = await start_two(start_gateway, tmp_path)
    await there.serve("fake")
    await serve_other(here, there, "curc-" + "x" * 43)
    reply = await here.chat()
    assert (reply.status, reply.code) == (503, "replica_refused")
    assert "refuses this session's key" in reply.json["error"]["message"]


async def test_a_key_file_that_others_can_read_isn_t_used(start_gateway: StartGateway, tmp_path: Any) -> None:
    here, there = await start_two(start_gateway, tmp_path)
    async with run_fake_engine(there.socket_of("fake")) as engine:
        await there.serve("fake")
        await serve_other(here, there, there.key)
        (here.paths.root / "other.key").chmod(0o644)
        reply = await here.chat()
        assert (reply.status, reply.code) == (503, "engine_restarting")
        assert engine.seen == []


async def test_two_gateways_that_name_each_other_don_t_go_round_in_circles(
    start_gateway: StartGateway, tmp_path: Any
) -> None:
    here, there = await start_two(start_gateway, tmp_path)
    await serve_other(here, there, there.key)
    await serve_other(there, here, here.key)
    reply = await here.chat()
    assert (reply.status, reply.code) == (508, "loop_detected")
    await asyncio.gather(here.wait_log("access", 1), there.wait_log("access", 1))
    assert len(here.log("access")) + len(there.log("access")) <= 4


async def test_a_hop_header_of_a_stranger_s_does_no_harm(gateway: RunningGateway, engine: FakeEngine) -> None:
    for value in ("0", "2", "99", "-1", "x", "²"):
        headers = {**gateway.auth, "X-Curc-Llm-Hops": value}
        body = {"model": "fake", "messages": []}
        reply = await ask(gateway.port, "POST", "/v1/chat/completions", body, headers)
        assert reply.status == 200
