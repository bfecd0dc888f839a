"""What a guest can do once they are in, what they can't, and how it ends."""

from __future__ import annotations

import asyncio
import time

import pytest

from curc_llm.session.keys import add_key, make_owner_key, revoke_key
from curc_llm.session.login import make_login_secret
from tests.fakes.fake_engine import FakeEngine
from tests.gateway.conftest import RunningGateway, ask, open_connection, render_request, wait_for
from tests.gateway.guests import Browser, invite, key_of, let_in, share, share_link
from tests.gateway.test_chat_relay import FakeChat
from tests.gateway.test_login import cookie_of

BODY = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
SECRETS = {"pid": 7, "warnings": ["/home/me/secret is nearly full"], "reason": {"message": "/home/me"}}
RECORD = {
    "session_id": "s1",
    "owner": "me",
    "status": "ready",
    "base_url": "http://n1:8/v1",
    "started_at": 1.0,
    "versions": {"vllm": "1"},
    "engines": [
        {"served_model_name": "fake", "model": "/home/me/models/x", "phase": "ready", "detail": "/home/me"},
        {"served_model_name": "other", "model": "/home/me/models/y", "phase": "ready"},
    ],
    **SECRETS,
}


@pytest.fixture
async def chat(gateway: RunningGateway) -> FakeChat:
    fake = FakeChat()
    await gateway.start_server("chat", fake.serve)
    await gateway.tell(chat_socket=gateway.socket_of("chat"))
    return fake


@pytest.mark.slow
async def test_each_route_does_for_a_guest_what_it_says(
    gateway: RunningGateway, engine: FakeEngine, chat: FakeChat
) -> None:
    ana = await let_in(gateway, share(gateway, "ana"), "ana")
    expected = {
        ("GET", "/"): 303,
        ("GET", "/chat"): 303,
        ("GET", "/chat/"): 200,
        ("POST", "/chat/upload"): 200,
        ("GET", "/status"): 200,
        ("GET", "/health"): 200,
        ("GET", "/login"): 200,
        ("POST", "/key"): 200,
        ("GET", "/key"): 405,
        ("POST", "/keep-going"): 403,
        ("GET", "/metrics"): 404,
        ("GET", "/v1/models"): 401,
        ("POST", "/v1/chat/completions"): 401,
        ("GET", "/logs"): 404,
        ("POST", "/restart"): 403,
        ("GET", "/keys"): 404,
    }
    found = {one: (await ana.ask(*one, b"" if one[0] == "POST" else None)).status for one in expected}
    assert found == expected


async def test_a_guest_s_key_opens_the_api_and_nothing_of_the_owner_s(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    auth = {"Authorization": f"Bearer {key_of(gateway, share(gateway, 'ana'))}"}
    expected = {
        ("GET", "/v1/models"): 200,
        ("POST", "/v1/chat/completions"): 200,
        ("GET", "/status"): 200,
        ("GET", "/metrics"): 403,
        ("GET", "/chat/"): 404,
        ("POST", "/key"): 404,
        ("POST", "/keep-going"): 404,
        ("POST", "/restart"): 403,
    }
    found = {
        one: (await gateway.ask(*one, BODY if one[0] == "POST" else None, auth)).status for one in expected
    }
    assert found == expected


async def test_a_guest_sees_their_own_key_and_not_the_owner_s(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    entry = share_link(gateway)
    guest = await let_in(gateway, entry)
    key = (await guest.ask("POST", "/key", b"")).json["key"]
    assert key == key_of(gateway, entry) != gateway.key
    reply = await gateway.ask("POST", "/v1/chat/completions", BODY, {"X-Api-Key": key})
    assert reply.status == 200
    assert (await guest.ask("POST", "/key", b"", Sec_Fetch_Site="cross-site")).status == 403
    lines = await wait_for(lambda: [x for x in gateway.log("audit") if x["event"] == "key_shown"])
    assert lines[0]["name"] == entry.name
    assert key not in gateway.paths.audit_log.read_text()


async def test_a_guest_s_status_names_nothing_of_the_owner_s_files_and_other_people(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    await gateway.tell(record=RECORD)
    await gateway.chat()
    ana = await let_in(gateway, share(gateway, "ana", models=("fake",)), "ana")
    reply = await ana.ask("GET", "/status")
    assert "/home/me" not in reply.body.decode()
    assert set(reply.json) >= {"session_id", "status", "engines", "guest"}
    assert [e["served_model_name"] for e in reply.json["engines"]] == ["fake"]
    assert reply.json["guest"]["requests"] == 0
    assert set(reply.json["gateway"]) == {"now"}
    owner = await gateway.ask("GET", "/status", None, await cookie_of(gateway))
    assert owner.json["warnings"] == SECRETS["warnings"]
    page = await ana.ask("GET", "/status", Accept="text/html")
    assert "You are a guest in me&#x27;s session" in page.body.decode()
    assert "can read them there" in page.body.decode()


async def test_a_chat_request_tells_the_chat_which_guest_asks_whatever_the_browser_claims(
    gateway: RunningGateway, chat: FakeChat
) -> None:
    ana = await let_in(gateway, share(gateway, "ana"), "ana")
    forged = {"X-Curc-Llm-User": "owner", "x-curc-llm-USER": "owner", "X_Curc_Llm_User": "owner"}
    reply = await gateway.ask("GET", "/node/n1/8/chat/", None, {**ana.headers, **forged})
    assert reply.json["headers"]["x-curc-llm-user"] == "ana"
    assert [name for name in reply.json["names"] if name.lower() == "x-curc-llm-user"] == ["x-curc-llm-user"]
    direct = await let_in(gateway, share(gateway, "bob"))
    forged_user = {**direct.headers, "X-Forwarded-User": "me"}  # as anyone on a direct connection can
    assert (await gateway.ask("GET", "/chat/", None, forged_user)).status == 401
    assert [seen["headers"]["x-curc-llm-user"] for seen in chat.seen] == ["ana"]


async def test_two_guests_and_the_owner_keep_apart(
    gateway: RunningGateway, engine: FakeEngine, chat: FakeChat
) -> None:
    people = {
        "ana": await let_in(gateway, share(gateway, "ana"), "ana"),
        "bob": await let_in(gateway, share(gateway, "bob"), "bob"),
        "owner": Browser(gateway, None, (await cookie_of(gateway))["Cookie"]),
    }
    names = list(people) * 8
    replies = await asyncio.gather(*(people[name].ask("GET", "/chat/x") for name in names))
    assert [reply.json["headers"]["x-curc-llm-user"] for reply in replies] == names
    await asyncio.gather(*(_ask_in_chat(gateway, name) for name in ["ana", "ana", "bob", "owner"]))
    lines = await gateway.wait_log("access", 4)
    assert sorted(line["key"] for line in lines) == ["ana", "ana", "bob", "owner"]
    used = {name: (await people[name].ask("GET", "/status")).json["guest"] for name in ("ana", "bob")}
    assert [used[name]["requests"] for name in ("ana", "bob")] == [2, 1]
    assert used["bob"]["completion_tokens"] == 5
    metrics = (await gateway.ask("GET", "/metrics", None, gateway.auth)).body.decode()
    assert 'curc_llm_key_requests_total{key="ana"} 2.0' in metrics
    assert 'curc_llm_key_completion_tokens_total{key="bob"} 5.0' in metrics


async def _ask_in_chat(gateway: RunningGateway, user: str) -> int:
    where, headers = gateway.socket_of("gateway"), {"X-Curc-Llm-User": user}
    return (await ask(where, "POST", "/v1/chat/completions", BODY, headers)).status


async def test_the_chat_asks_for_a_guest_within_the_limits_of_their_share(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    share(gateway, "ana", requests_per_minute=1)
    share(gateway, "bob", models=("other",))
    assert [await _ask_in_chat(gateway, "ana") for _ in range(2)] == [200, 429]
    assert await _ask_in_chat(gateway, "bob") == 403
    assert await _ask_in_chat(gateway, "owner") == 200


async def test_the_chat_can_t_ask_in_the_name_of_nobody(gateway: RunningGateway, engine: FakeEngine) -> None:
    add_key(gateway.paths.keys, "program")
    for name in ("ana", "program", "Owner", "owner\x00", "x" * 400):
        assert await _ask_in_chat(gateway, name) in {400, 403}, name
    reply = await gateway.private("POST", "/keep-going", b"", {"X-Curc-Llm-User": "ana"})
    assert reply.code == "access_revoked"
    share(gateway, "ana")
    reply = await gateway.private("POST", "/keep-going", b"", {"X-Curc-Llm-User": "ana"})
    assert reply.code == "permission_denied"
    assert (await gateway.private("POST", "/keep-going", b"")).status == 200


@pytest.mark.slow
async def test_a_stream_of_the_api_ends_when_its_share_is_revoked(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.tokens, engine.behaviour.token_s = 5000, 0.01
    entry = share(gateway, "ana")
    reader, writer = await open_connection(gateway.port)
    auth = {"X-Api-Key": key_of(gateway, entry)}
    writer.write(render_request("POST", "/v1/chat/completions", BODY, auth))
    other = asyncio.create_task(gateway.chat(stream=True, max_tokens=250))
    async with asyncio.timeout(2):
        await reader.readuntil(b"word3")
    revoke_key(gateway.paths.keys, "ana")
    began = time.monotonic()
    async with asyncio.timeout(3):
        rest = await reader.readuntil(b"access_revoked")
    assert time.monotonic() - began < 2.5
    assert b"no longer shared" in rest
    writer.close()
    assert (await other).events[-1] == "[DONE]"  # nobody else's


@pytest.mark.slow
async def test_a_stream_of_the_chat_ends_when_its_share_is_revoked(
    gateway: RunningGateway, chat: FakeChat
) -> None:
    ana = await let_in(gateway, share(gateway, "ana"), "ana")
    reader, writer = await open_connection(gateway.port)
    writer.write(render_request("GET", "/node/n1/8/chat/stream", None, ana.headers))
    async with asyncio.timeout(2):
        await reader.readuntil(b"data: 2\n\n")
    revoke_key(gateway.paths.keys, "ana")
    async with asyncio.timeout(3):
        await reader.read(-1)  # to its end: the connection was closed
    await wait_for(lambda: chat.gone == 1)
    writer.close()


@pytest.mark.slow
async def test_a_stream_goes_on_while_other_shares_change(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.tokens, engine.behaviour.token_s = 150, 0.01
    auth = {"X-Api-Key": key_of(gateway, share(gateway, "ana"))}
    share(gateway, "bob")
    running = asyncio.create_task(gateway.ask("POST", "/v1/chat/completions", BODY, auth))
    await asyncio.sleep(0.2)
    revoke_key(gateway.paths.keys, "bob")
    assert (await running).events[-1] == "[DONE]"


async def test_after_the_session_s_end_a_link_is_worth_nothing(gateway: RunningGateway) -> None:
    entry = share(gateway, "ana")
    ana = await let_in(gateway, entry, "ana")
    token = invite(gateway, entry)
    gateway.paths.remove_secrets()
    assert (await ana.ask("GET", "/status")).code == "keys_unavailable"
    assert (await ana.open(token)).code == "keys_unavailable"
    # The same person starts another session at the same address.
    make_owner_key(gateway.paths.keys, gateway.paths.api_key)
    make_login_secret(gateway.paths.login_secret)
    share(gateway, "ana")
    assert (await ana.ask("GET", "/status")).status == 401
    assert (await ana.open(token)).status == 401
