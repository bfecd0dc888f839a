from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from curc_llm.chat.gateway_client import GatewayClient, GatewayError, make_count_request, parse_problem
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


async def collect(client: GatewayClient, into: list[dict[str, Any]]) -> None:
    async for events in client.stream_completion(BODY, "ada"):
        into += events


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(c["delta"].get("content", "") for e in events for c in e["choices"])


async def test_a_completion_comes_piece_by_piece_with_the_callers_name(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.default = Reply("Grüße aus Boulder, ß ✓")
    events: list[dict[str, Any]] = []
    await collect(client, events)
    assert text_of(events) == "Grüße aus Boulder, ß ✓"
    assert events[-1]["usage"]["completion_tokens"] == 6
    assert gateway.users == ["ada"]
    assert gateway.requests == [BODY]


async def test_an_error_in_the_middle_of_a_stream_is_raised_after_the_text(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.default = Reply("Half", error={"message": "The engine stopped.", "code": "engine_failed"})
    events: list[dict[str, Any]] = []
    with pytest.raises(GatewayError) as caught:
        await collect(client, events)
    assert text_of(events) == "Half"
    assert (caught.value.message, caught.value.code) == ("The engine stopped.", "engine_failed")


async def test_a_stream_that_breaks_off_is_an_error_and_not_an_end(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.default = Reply("Half", cut=True)
    events: list[dict[str, Any]] = []
    with pytest.raises(GatewayError) as caught:
        await collect(client, events)
    assert caught.value.code == "unreachable"


async def test_an_event_that_isnt_json_is_an_error(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.default = Reply(raw=b"data: {oops\n\n")
    with pytest.raises(GatewayError, match="can't be read"):
        await collect(client, [])


async def test_a_refusal_carries_the_gateways_words_and_code(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    error = {"message": "curc-guide is loading.", "code": "model_loading"}
    gateway.default = Reply(status=503, body={"error": error})
    with pytest.raises(GatewayError, match="curc-guide is loading") as caught:
        await collect(client, [])
    assert caught.value.is_passing


async def test_leaving_early_ends_the_generation(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.default = Reply("one two three", hold_after=1)
    async with contextlib.aclosing(client.stream_completion(BODY, "ada")) as events:
        async for _ in events:
            break
    await asyncio.to_thread(gateway.wait_for, lambda g: g.aborted == 1 and g.running == 0)


async def test_a_gateway_that_is_away_is_told_in_words(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.is_down = True
    with pytest.raises(GatewayError, match="connection to the model broke off") as caught:
        await client.load_status("ada")
    assert caught.value.code == "unreachable"


async def test_a_restart_is_passed_on_and_a_refusal_told(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.record = make_record(engines=[make_engine(phase="failed")])
    await client.restart("curc-guide", "owner")
    assert gateway.restarts == ["curc-guide"]
    refused_ones = (("other", "owner", "nothing_failed"), ("curc-guide", "ana", "permission_denied"))
    for model, user, code in refused_ones:
        with pytest.raises(GatewayError) as refused:
            await client.restart(model, user)
        assert refused.value.code == code


async def test_keep_going_is_passed_on(gateway: FakeGateway, client: GatewayClient) -> None:
    await client.keep_going("ada")
    assert gateway.kept_going == 1


async def test_a_name_with_line_breaks_adds_no_header(gateway: FakeGateway, client: GatewayClient) -> None:
    await client.load_status("ada\r\nX-Evil: 1")
    assert gateway.users == ["ada  X-Evil: 1"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "text"}'])
def test_a_refusal_without_a_reason_still_says_something(body: bytes) -> None:
    problem = parse_problem(502, body)
    assert "HTTP 502" in problem.message
    assert problem.code == "http_502"


async def test_the_engine_counts_a_prompt_without_writing_anything(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    body = {**BODY, "temperature": 0, "chat_template_kwargs": {"enable_thinking": False}}
    assert await client.count_tokens(body, "ada") == 12
    assert gateway.counted == [
        {
            "model": "m",
            "messages": BODY["messages"],
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]
    assert (gateway.users, gateway.requests) == (["ada"], [])


@pytest.mark.parametrize("reply", [(503, {"error": {}}), (200, []), (200, {"count": "many"}), (200, None)])
async def test_an_engine_that_cant_count_is_no_trouble(
    gateway: FakeGateway, client: GatewayClient, reply: tuple[int, Any]
) -> None:
    gateway.count_reply = reply
    assert await client.count_tokens(BODY, "ada") is None


async def test_counting_doesnt_keep_anybody_waiting(
    gateway: FakeGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curc_llm.chat.gateway_client.COUNT_S", 0.0)
    assert await client.count_tokens(BODY, "ada") is None
    gateway.is_down = True
    assert await client.count_tokens(BODY, "ada") is None
    await asyncio.sleep(0)  # transports close one turn of the loop later


def test_an_effort_of_reasoning_counts_as_the_template_sees_it() -> None:
    asked = make_count_request({**BODY, "reasoning_effort": "none"})
    assert asked["chat_template_kwargs"] == {"reasoning_effort": "none", "enable_thinking": False}
    assert "reasoning_effort" not in asked
