"""`POST /restart`: who may start a model again that has failed for good, and when."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.gateway.channel import EngineTarget, Restart
from curc_llm.session.keys import add_key
from tests.gateway.conftest import RunningGateway, wait_for
from tests.gateway.guests import let_in, share
from tests.gateway.test_login import cookie_of

SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def failed(gateway: RunningGateway) -> RunningGateway:
    """A gateway whose first and last engine have failed."""
    phases = {"one": "failed", "two": "ready", "three": "failed"}
    await gateway.tell(engines=tuple(EngineTarget(name, "/none", phase) for name, phase in phases.items()))
    return gateway


def restarts(gateway: RunningGateway) -> list[tuple[str, ...]]:
    return [message.models for message in gateway.messages if isinstance(message, Restart)]


@pytest.mark.parametrize(
    ("body", "models"),
    [(b"", ("one", "three")), ({}, ("one", "three")), ({"model": None}, ("one", "three")),
     ({"model": "three"}, ("three",))],
)  # fmt: skip
async def test_the_owner_s_page_starts_what_has_failed_again(
    failed: RunningGateway, body: Any, models: tuple[str, ...]
) -> None:
    headers = {**await cookie_of(failed), **SAME}
    reply = await failed.ask("POST", "/restart", body, headers)
    assert (reply.status, reply.json) == (202, {"status": "restarting", "models": list(models)})
    await wait_for(lambda: restarts(failed) == [models])
    line = next(line for line in await failed.wait_log("audit", 2) if line["event"] == "restart")
    assert (line["name"], line["models"]) == ("owner", list(models))


async def test_the_owner_s_key_and_the_chat_s_socket_do_it_too(failed: RunningGateway) -> None:
    assert (await failed.ask("POST", "/restart", {"model": "one"}, failed.auth)).status == 202
    assert (await failed.private("POST", "/restart", {"model": "three"})).status == 202
    await wait_for(lambda: restarts(failed) == [("one",), ("three",)])


async def test_nobody_else_may(failed: RunningGateway) -> None:
    ana = await let_in(failed, share(failed, "ana"), "ana")
    program = {"X-Api-Key": add_key(failed.paths.keys, "program", scopes=("chat", "manage"))}
    replies = [
        await ana.ask("POST", "/restart", {"model": "one"}),
        await failed.private("POST", "/restart", b"", {"X-Curc-Llm-User": "ana"}),
        await failed.ask("POST", "/restart", b"", program),
    ]
    assert [(r.status, r.code) for r in replies] == [(403, "permission_denied")] * 3
    assert "owner" in replies[0].json["error"]["message"]
    assert restarts(failed) == []


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
async def test_another_site_can_t_make_the_owner_s_browser_do_it(
    failed: RunningGateway, headers: dict[str, str]
) -> None:
    reply = await failed.ask("POST", "/restart", b"", {**await cookie_of(failed), **headers})
    assert reply.status == 403
    assert restarts(failed) == []


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"model": "two"}, 409, "nothing_failed", "'two' is ready"),
        ({"model": "four"}, 404, "model_not_found", "Models of this session: one, two, three"),
        (b"[1]", 400, "invalid_request", "JSON"),
        (b"{", 400, "invalid_request", "JSON"),
        (b"[" * 50_000, 400, "invalid_request", "JSON"),
        ({"model": 7}, 400, "invalid_request", "text"),
        (b" " * 70_000, 413, "request_too_large", "0.0625 MiB"),
    ],
)
async def test_what_can_t_be_done_is_told_in_a_sentence(
    failed: RunningGateway, body: Any, status: int, code: str, words: str
) -> None:
    reply = await failed.private("POST", "/restart", body)
    assert (reply.status, reply.code) == (status, code)
    assert words in reply.json["error"]["message"]
    assert restarts(failed) == []


async def test_where_nothing_has_failed_there_is_nothing_to_do(gateway: RunningGateway) -> None:
    assert (await gateway.private("POST", "/restart")).code == "nothing_failed"
    await gateway.serve("fake", phase="restarting")
    reply = await gateway.private("POST", "/restart")
    assert (reply.status, reply.code) == (409, "nothing_failed")
    assert "'fake' is restarting" in reply.json["error"]["message"]


async def test_a_session_that_ends_starts_nothing(failed: RunningGateway) -> None:
    await failed.tell(accepting=False, drain_message="The session was stopped by its owner.")
    reply = await failed.private("POST", "/restart")
    assert (reply.status, reply.code) == (409, "session_ending")
    assert "stopped by its owner" in reply.json["error"]["message"]


async def test_it_takes_post_alone(failed: RunningGateway) -> None:
    for reply in (
        await failed.private("GET", "/restart"),
        await failed.ask("GET", "/restart", None, failed.auth),
        await failed.ask("GET", "/restart", None, await cookie_of(failed)),
    ):
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
