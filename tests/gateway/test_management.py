"""`/adapters` and `/swap`: who may, what is handed to the supervisor, and how its answer is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from curc_llm.gateway.channel import Order, Outcome
from curc_llm.session.keys import add_key
from tests.gateway.conftest import Reply, RunningGateway, wait_for
from tests.gateway.guests import let_in, share
from tests.gateway.test_login import cookie_of

SAME = {"Sec-Fetch-Site": "same-origin"}
ADAPTER = {"name": "sql", "source": "/a"}


def orders(gateway: RunningGateway) -> list[Order]:
    return [message for message in gateway.messages if isinstance(message, Order)]


async def answer(gateway: RunningGateway, asking: Any, status: int, **more: Any) -> Reply:
    """What a caller is told when the supervisor answers so."""
    count = len(orders(gateway))
    task = asyncio.ensure_future(asking)
    order = (await wait_for(lambda: orders(gateway)[count:]))[0]
    gateway.channel.send(Outcome(order.id, status, **more))
    return await task


async def test_the_supervisor_s_answer_is_the_gateway_s(gateway: RunningGateway) -> None:
    asking = gateway.ask("POST", "/adapters", {**ADAPTER, "model": "m"}, gateway.auth)
    reply = await answer(gateway, asking, 200, values={"status": "loaded"})
    assert (reply.status, reply.json) == (200, {"status": "loaded"})
    assert (orders(gateway)[-1].verb, orders(gateway)[-1].fields) == (
        "add_adapter",
        {**ADAPTER, "model": "m"},
    )
    asking = gateway.ask("POST", "/swap", {"model": "big"}, gateway.auth)
    reply = await answer(gateway, asking, 400, code="does_not_fit", message="It needs 80 GiB.")
    assert (reply.status, reply.code) == (400, "does_not_fit")
    lines = await gateway.wait_log("audit", 2)
    told = [
        (line["event"], line.get("refused")) for line in lines if line["event"] in {"add_adapter", "swap"}
    ]
    assert told == [("add_adapter", None), ("swap", "does_not_fit")]
    asking = gateway.ask("DELETE", "/adapters/s%2Fql", None, gateway.auth)
    assert (await answer(gateway, asking, 200)).status == 200
    assert orders(gateway)[-1].fields == {"name": "s/ql"}
    asking = gateway.ask("GET", "/swap?engine=m", None, gateway.auth)
    assert (await answer(gateway, asking, 200, values={"models": []})).json == {"models": []}
    assert orders(gateway)[-1].fields == {"engine": "m"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/swap"), ("GET", "/swap"), ("POST", "/adapters")])
async def test_a_session_that_has_handed_over_changes_nothing_and_names_the_other_one(
    gateway: RunningGateway, method: str, path: str
) -> None:
    await gateway.tell(record={"session_id": "slurm-a", "successor": "slurm-b"})
    body = {"model": "big"} if path == "/swap" else ADAPTER
    reply = await gateway.ask(method, path, body if method == "POST" else None, gateway.auth)
    assert (reply.status, reply.code) == (409, "handed_over")
    assert "This session has handed over to slurm-b: ask that one instead." in reply.json["error"]["message"]
    assert orders(gateway) == []


async def test_a_manager_s_key_and_the_owner_s_page_may_and_nobody_else(gateway: RunningGateway) -> None:
    manager = {"X-Api-Key": add_key(gateway.paths.keys, "manager", scopes=("manage",))}
    cookie = {**await cookie_of(gateway), **SAME}
    for headers in (manager, cookie):
        reply = await answer(gateway, gateway.ask("POST", "/adapters", ADAPTER, headers), 200)
        assert reply.status == 200
    reply = await answer(gateway, gateway.private("POST", "/swap", {"model": "m"}), 202)
    assert reply.status == 202
    count = len(orders(gateway))
    ana = await let_in(gateway, share(gateway, "ana"), "ana")
    program = {"X-Api-Key": add_key(gateway.paths.keys, "program", scopes=("chat", "batch"))}
    refused = [
        await ana.ask("POST", "/adapters", ADAPTER),
        await gateway.private("POST", "/swap", {"model": "m"}, {"X-Curc-Llm-User": "ana"}),
        await gateway.ask("POST", "/swap", {"model": "m"}, program),
        await gateway.ask("GET", "/swap", None, program),
        await gateway.ask("DELETE", "/adapters/sql", None, program),
    ]
    assert [(r.status, r.code) for r in refused] == [(403, "permission_denied")] * 5
    other_site = {**cookie, "Sec-Fetch-Site": "cross-site"}
    assert (await gateway.ask("POST", "/swap", {"model": "m"}, other_site)).status == 403
    assert (await gateway.ask("POST", "/swap", {"model": "m"})).status == 401
    assert len(orders(gateway)) == count


async def test_what_is_no_order_is_refused_by_the_gateway_itself(gateway: RunningGateway) -> None:
    for method, path, body, code in (
        ("POST", "/adapters", b"{", "invalid_request"),
        ("POST", "/adapters", {"name": "sql"}, "invalid_request"),
        ("POST", "/swap", {"model": ["m"]}, "invalid_request"),
        ("PUT", "/swap", {"model": "m"}, "method_not_allowed"),
        ("GET", "/adapters/sql", None, "method_not_allowed"),
        ("POST", "/v1/load_lora_adapter", {"lora_name": "a", "lora_path": "/a"}, "not_found"),
    ):
        assert (await gateway.ask(method, path, body, gateway.auth)).code == code
    await gateway.tell(accepting=False, drain_message="Its time is over.")
    reply = await gateway.ask("POST", "/swap", {"model": "m"}, gateway.auth)
    assert (reply.status, reply.code) == (409, "session_ending")
    assert orders(gateway) == []
