"""What the gateway answers from memory."""

from __future__ import annotations

import time

import pytest

from curc_llm.gateway.channel import EngineTarget, KeepGoing
from curc_llm.gateway.exposition import merge_families
from tests.fakes.fake_engine import FakeEngine, run_fake_engine
from tests.gateway.conftest import RunningGateway, wait_for

HTML = {"Accept": "text/html"}


@pytest.mark.parametrize("prefix", ["", "/node/n1/8000"])
async def test_health_tells_anyone_the_phase_and_nothing_else(gateway: RunningGateway, prefix: str) -> None:
    reply = await gateway.ask("GET", prefix + "/health")
    assert (reply.status, reply.json) == (503, {"status": "starting"})
    assert int(reply.headers["retry-after"]) > 0
    await gateway.serve("fake", phase="compiling")
    reply = await gateway.ask("GET", prefix + "/health")
    assert (reply.status, reply.json) == (503, {"status": "compiling"})
    await gateway.serve("fake")
    reply = await gateway.ask("GET", prefix + "/health")
    assert (reply.status, reply.json) == (200, {"status": "ready"})
    assert (await gateway.ask("HEAD", prefix + "/health")).status == 200
    assert (await gateway.ask("POST", prefix + "/health")).status == 405


async def test_one_model_of_two_makes_the_session_healthy(gateway: RunningGateway) -> None:
    engines = (EngineTarget("a", "/none", "loading"), EngineTarget("b", "/none", "ready"))
    await gateway.tell(engines=engines)
    assert (await gateway.ask("GET", "/health")).status == 200


async def test_models_are_listed_once_they_can_answer(gateway: RunningGateway) -> None:
    engines = (EngineTarget("a", "/none", "loading"), EngineTarget("org/b", "/none", "loading"))
    records = [{"served_model_name": "org/b", "max_model_len": 4096, "started_at": 1700.5}]
    await gateway.tell(engines=engines, record={"session_id": "s1", "engines": records})
    reply = await gateway.ask("GET", "/v1/models", None, gateway.auth)
    assert (reply.status, reply.code) == (503, "model_loading")
    await gateway.tell(engines=(engines[0], EngineTarget("org/b", "/none", "ready")))
    models = (await gateway.ask("GET", "/v1/models", None, gateway.auth)).json
    assert models["object"] == "list"
    assert [(m["id"], m["object"], m["created"], m["max_model_len"]) for m in models["data"]] == [
        ("org/b", "model", 1700, 4096)
    ]
    # While one model is exchanged, the others and their adapters are listed.
    swap = {"from_model": "a", "to_model": "c", "phase": "starting"}
    going = [{"served_model_name": "c", "swap": swap}, {"served_model_name": "org/b"}]
    targets = (
        EngineTarget("c", "/none", "loading"),
        EngineTarget("org/b", "/none", "ready", adapters=("d",)),
    )
    await gateway.tell(engines=targets, record={"session_id": "s1", "engines": going})
    listed = (await gateway.ask("GET", "/v1/models", None, gateway.auth)).json["data"]
    assert [(m["id"], m["parent"]) for m in listed] == [("org/b", None), ("d", "org/b")]
    await gateway.tell(
        engines=(engines[0], EngineTarget("org/b", "/none", "ready")),
        record={"session_id": "s1", "engines": records},
    )
    one = await gateway.ask("GET", "/v1/models/org/b", None, gateway.auth)
    assert one.json["id"] == "org/b"
    assert (await gateway.ask("GET", "/v1/models/c", None, gateway.auth)).code == "model_not_found"


async def test_when_to_come_back_follows_from_earlier_starts(gateway: RunningGateway) -> None:
    loading = (EngineTarget("a", "/none", "loading"),)
    for left_s, expected in ((100, 30), (12.9, 12), (-50, 2)):
        record = {"served_model_name": "a", "expected_ready_s": 60, "started_at": time.time() - 60 + left_s}
        await gateway.tell(engines=loading, record={"engines": [record]})
        assert abs(int((await gateway.ask("GET", "/health")).headers["retry-after"]) - expected) <= 1


async def test_status_is_the_record_with_the_gateway_s_figures(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    await gateway.chat(stream=True, max_tokens=20)
    await gateway.chat(max_tokens=5)
    status = (await gateway.ask("GET", "/status", None, gateway.auth)).json
    assert status["session_id"] == "s1"
    figures = status["gateway"]
    assert (figures["running"], figures["requests"], figures["tokens_generated"]) == (0, 2, 25)
    assert abs(figures["now"] - time.time()) < 5


@pytest.mark.slow
async def test_tokens_are_counted_while_they_stream(gateway: RunningGateway, engine: FakeEngine) -> None:
    import asyncio

    engine.behaviour.token_s = 0.01
    asking = asyncio.create_task(gateway.chat(stream=True, max_tokens=60))
    await asyncio.sleep(0.3)
    figures = (await gateway.private("GET", "/status")).json["gateway"]
    assert figures["running"] == 1
    assert 0 < figures["tokens_generated"] < 60
    assert figures["tokens_per_s"] > 1
    await asking


async def test_a_browser_gets_the_live_page(gateway: RunningGateway) -> None:
    reply = await gateway.ask("GET", "/status", None, {**gateway.auth, **HTML})
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert b"fetch(" in reply.body
    assert b"innerHTML" not in reply.body
    assert b"{{" not in reply.body
    assert b"http://" not in reply.body
    assert b"https://" not in reply.body


async def test_metrics_are_the_gateway_s_and_then_the_engines(gateway: RunningGateway) -> None:
    async with (
        run_fake_engine(gateway.socket_of("a"), model="a"),
        run_fake_engine(gateway.socket_of("b"), model="b"),
    ):
        await gateway.serve("a", "b", "gone")
        await gateway.chat(model="a", max_tokens=3)
        await gateway.chat(model="a", max_tokens=3, stream=True)
        reply = await gateway.ask("GET", "/metrics", None, gateway.auth)
    text = reply.body.decode()
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'curc_llm_requests_total{model="a",route="/v1/chat/completions",status="200"} 2.0' in text
    assert 'curc_llm_completion_tokens_total{model="a"} 6.0' in text
    assert 'curc_llm_first_token_seconds_count{model="a"} 2.0' in text
    assert (
        'vllm:num_requests_running{model_name="a"} 0\nvllm:num_requests_running{model_name="b"} 0\n' in text
    )
    assert text.count("# TYPE vllm:num_requests_running gauge") == 1
    assert "python_info" not in text


def test_without_engines_there_is_nothing_to_merge() -> None:
    assert merge_families(["", "# TYPE python_info gauge\npython_info 1\n"]) == ""


async def test_a_person_can_keep_the_session_going(gateway: RunningGateway) -> None:
    assert (await gateway.private("POST", "/keep-going")).status == 200
    await wait_for(lambda: KeepGoing() in gateway.messages)
    assert (await gateway.private("GET", "/keep-going")).status == 405
