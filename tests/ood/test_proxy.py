"""The gateway behind the portal's real kind of proxy: Apache with the rules of both releases that differ."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fakes.fake_engine import FakeEngine, run_fake_engine
from tests.gateway import conftest as gateways
from tests.gateway.conftest import RunningGateway
from tests.gateway.test_chat_relay import FakeChat
from tests.testbed.portal.apache import Apache, Variant

pytestmark = [pytest.mark.root, pytest.mark.slow]

# The gateway's owner is `me`; `you` is anybody else with an account at the portal.
LOGINS = {"me": "a-long-password", "you": "another-password"}
PORTALS = ("new", "old", "tls")
QUESTION = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}]}


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def make_apache(folder: Path, timeout_s: float = 60) -> Apache:
    new, old, tls = free_ports(3)
    variants = [Variant("new", new), Variant("old", old, strips=False), Variant("tls", tls, is_https=True)]
    return Apache(folder, variants, LOGINS, timeout_s=timeout_s)


@contextmanager
def serving(timeout_s: float = 60) -> Iterator[Apache]:
    """An Apache in a folder that its own user may enter, which pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="curc-llm-apache-"))
    folder.chmod(0o755)
    try:
        with make_apache(folder, timeout_s) as running:
            yield running
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def apache() -> Iterator[Apache]:
    with serving() as running:
        yield running


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with session(tmp_path / "one") as running:
        yield running


@asynccontextmanager
async def session(folder: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with an engine and a chat that echoes."""
    running = await gateways._start(folder, {"heartbeat_s": 0.3})
    try:
        async with run_fake_engine(running.socket_of("fake")) as engine:
            chat = FakeChat()
            await running.start_server("chat", chat.serve)
            await running.tell(chat_socket=running.socket_of("chat"))
            await running.serve("fake")
            running.engine, running.chat_seen = engine, chat.seen  # type: ignore[attr-defined]
            yield running
    finally:
        await gateways._end(running)


@asynccontextmanager
async def visitor(apache: Apache, portal: str = "new", user: str = "me") -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is logged in at the portal."""
    async with httpx.AsyncClient(base_url=apache.variant(portal).origin, verify=False, timeout=20) as client:
        form = {"httpd_username": user, "httpd_password": LOGINS[user]}
        answer = await client.post("/public/in", data=form)
        assert answer.headers["location"] == "/pun/sys/dashboard", answer.text
        yield client


def node(gateway: RunningGateway, path: str = "", kind: str = "node") -> str:
    return f"/{kind}/localhost/{gateway.port}{path}"


async def log_in(client: httpx.AsyncClient, gateway: RunningGateway, token: str = "") -> httpx.Response:
    """What the card's button does."""
    token = token or gateway.login_token(time.time())
    return await client.post(
        node(gateway, "/login"), data={"token": token}, headers={"Origin": str(client.base_url)}
    )


async def ask(client: httpx.AsyncClient, gateway: RunningGateway, headers: dict[str, str]) -> httpx.Response:
    """One question to the API."""
    return await client.post(node(gateway, "/v1/chat/completions"), json=QUESTION, headers=headers)


@pytest.mark.parametrize("portal", PORTALS)
async def test_the_card_s_button_opens_the_chat(apache: Apache, gateway: RunningGateway, portal: str) -> None:
    async with visitor(apache, portal) as me:
        answer = await log_in(me, gateway)
        assert (answer.status_code, answer.headers["location"]) == (303, node(gateway, "/chat/"))
        cookie = answer.headers["set-cookie"]
        assert f"Path={node(gateway)};" in cookie + ";"
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert ("Secure" in cookie) is (portal == "tls")
        page = await me.get(answer.headers["location"])
    assert page.status_code == 200
    seen = page.json()
    assert seen["path"] == "/chat/"
    assert seen["headers"]["x-curc-llm-prefix"] == node(gateway)


@pytest.mark.parametrize("portal", PORTALS)
async def test_nothing_of_the_portal_s_login_reaches_the_chat(
    apache: Apache, gateway: RunningGateway, portal: str
) -> None:
    async with visitor(apache, portal) as me:
        await log_in(me, gateway)
        seen = (await me.get(node(gateway, "/chat/"))).json()["headers"]
        await ask(me, gateway, {"X-Api-Key": gateway.key})
    told = json.dumps([seen, gateway.engine.seen])  # type: ignore[attr-defined]
    for secret in ("mod_auth_openidc", "curc_llm_s1", gateway.key, "x-forwarded"):
        assert secret not in told.lower()


@pytest.mark.parametrize("portal", PORTALS)
@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-User": "me"}], ids=["plain", "forged"])
async def test_another_user_of_the_portal_is_refused_even_with_the_owner_s_cookie(
    apache: Apache, gateway: RunningGateway, portal: str, headers: dict[str, str]
) -> None:
    async with visitor(apache, portal) as me:
        await log_in(me, gateway)
        stolen = me.cookies.get("curc_llm_s1")
    assert stolen
    async with visitor(apache, portal, "you") as you:
        for path in ("/", "/chat/", "/status", "/v1/models"):
            assert (await you.get(node(gateway, path), headers=headers)).status_code in {401, 403}
        you.cookies.set("curc_llm_s1", stolen)
        for path in ("/", "/chat/", "/status"):
            answer = await you.get(node(gateway, path), headers=headers)
            assert answer.status_code == 403, path
            assert "words" not in answer.text
    assert gateway.chat_seen == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("portal", PORTALS)
async def test_another_user_can_t_use_a_login_secret_that_they_got_hold_of(
    apache: Apache, gateway: RunningGateway, portal: str
) -> None:
    token = gateway.login_token(time.time())
    async with visitor(apache, portal, "you") as you:
        answer = await log_in(you, gateway, token)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    async with visitor(apache, portal) as me:
        assert (await log_in(me, gateway, token)).status_code == 303


async def test_another_user_s_key_and_all_is_refused_through_the_portal(
    apache: Apache, gateway: RunningGateway
) -> None:
    async with visitor(apache, "old", "you") as you:
        answer = await you.get(node(gateway, "/v1/models"), headers={"X-Api-Key": gateway.key})
    assert answer.status_code == 403


@pytest.mark.parametrize("portal", PORTALS)
async def test_a_login_secret_works_once(apache: Apache, gateway: RunningGateway, portal: str) -> None:
    token = gateway.login_token(time.time())
    async with visitor(apache, portal) as me:
        assert (await log_in(me, gateway, token)).status_code == 303
        again = await log_in(me, gateway, token)  # the card's button pressed twice: in by the cookie
        assert (again.status_code, again.headers["location"]) == (303, node(gateway, "/chat/"))
        assert "set-cookie" not in again.headers
    async with visitor(apache, portal) as elsewhere:
        replayed = await log_in(elsewhere, gateway, token)
        assert replayed.status_code == 401
        assert "works once" in replayed.text
        assert "set-cookie" not in replayed.headers


async def test_a_cookie_of_one_session_opens_no_other(
    apache: Apache, gateway: RunningGateway, tmp_path: Path
) -> None:
    async with session(tmp_path / "two") as other, visitor(apache) as me:
        await log_in(me, gateway)
        cookie = me.cookies.get("curc_llm_s1")
        assert (await me.get(node(other, "/chat/"))).status_code == 401  # the browser keeps it to its path
        headers = {"Cookie": f"curc_llm_s1={cookie}; " + portal_cookie(me)}
        assert (await me.get(node(gateway, "/chat/"), headers=headers)).status_code == 200
        assert (await me.get(node(other, "/chat/"), headers=headers)).status_code == 401
    assert other.chat_seen == []  # type: ignore[attr-defined]


def portal_cookie(client: httpx.AsyncClient) -> str:
    return f"mod_auth_openidc_session={client.cookies['mod_auth_openidc_session']}"


@pytest.mark.parametrize(("portal", "bearer"), [("new", 401), ("tls", 401), ("old", 200)])
async def test_a_key_as_x_api_key_always_passes_as_bearer_only_before_4_1(
    apache: Apache, gateway: RunningGateway, portal: str, bearer: int
) -> None:
    async with visitor(apache, portal) as me:
        for headers, status in (
            ({"X-Api-Key": gateway.key}, 200),
            ({"Authorization": f"Bearer {gateway.key}"}, bearer),
            ({"X-Api-Key": gateway.key[:-1] + "x"}, 401),
        ):
            answer = await ask(me, gateway, headers)
            assert answer.status_code == status
            if status == 401:
                assert "X-Api-Key" in answer.json()["error"]["message"]


@pytest.mark.parametrize("portal", PORTALS)
async def test_tokens_come_one_by_one(apache: Apache, gateway: RunningGateway, portal: str) -> None:
    engine_of(gateway).behaviour.token_s = 0.1
    times = []
    async with visitor(apache, portal) as me:
        body = {**QUESTION, "stream": True, "max_tokens": 8}
        asked = me.stream(
            "POST", node(gateway, "/v1/chat/completions"), json=body, headers={"X-Api-Key": gateway.key}
        )
        async with asked as answer:
            times = [time.monotonic() async for chunk in answer.aiter_raw() if b"word" in chunk]
    assert len(times) >= 6
    assert times[-1] - times[0] > 0.4


def engine_of(gateway: RunningGateway) -> FakeEngine:
    return gateway.engine  # type: ignore[attr-defined,no-any-return]


async def test_a_slow_model_outlives_the_proxy_s_patience(gateway: RunningGateway) -> None:
    """Apache gives up after `Timeout` without a byte; the gateway's heartbeats are bytes."""
    engine_of(gateway).behaviour.silent_s = 2.5
    with serving(timeout_s=1) as impatient:
        async with visitor(impatient) as me:
            body = {**QUESTION, "stream": True}
            path, key = node(gateway, "/v1/chat/completions"), {"X-Api-Key": gateway.key}
            answer = await me.post(path, json=body, headers=key)
            assert answer.status_code == 200
            assert answer.text.endswith("data: [DONE]\n\n")


async def test_the_portal_s_own_refusals(apache: Apache, gateway: RunningGateway) -> None:
    async with visitor(apache) as me:
        assert (await me.get(node(gateway, "/v1%2Fmodels"))).status_code == 404
        dead = await me.get(f"/node/localhost/{free_ports(1)[0]}/")
        assert (dead.status_code, dead.text[:20]) == (503, "Failed to connect to")
    async with httpx.AsyncClient(base_url=apache.variant("new").origin) as stranger:
        answer = await stranger.get(node(gateway, "/chat/"), headers={"X-Forwarded-User": "me"})
        assert (answer.status_code, answer.headers["location"]) == (302, "/public/login.html")


async def test_both_policies_hold_the_portal_s_and_the_session_s(
    apache: Apache, gateway: RunningGateway
) -> None:
    async with visitor(apache) as me:
        answer = await me.get(node(gateway, "/login"), headers={"Accept": "text/html"})
    policies = answer.headers.get_list("content-security-policy")
    assert f"frame-ancestors {apache.variant('new').origin};" in policies
    assert any("default-src 'none'" in p or "script-src" in p for p in policies)


async def test_below_rnode_the_api_answers_too(apache: Apache, gateway: RunningGateway) -> None:
    async with visitor(apache) as me:
        headers = {"X-Api-Key": gateway.key}
        answer = await me.get(node(gateway, "/v1/models", "rnode"), headers=headers)
    assert answer.json()["data"][0]["id"] == "fake"


async def test_a_request_for_a_websocket_is_answered_and_hangs_nothing(
    apache: Apache, gateway: RunningGateway
) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    async with visitor(apache) as me:
        await log_in(me, gateway)
        key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        async with asyncio.timeout(10):
            answer = await me.get(node(gateway, "/status"), headers={**upgrade, **key})
        assert answer.status_code != 101
        assert (await me.get(node(gateway, "/status"))).status_code == 200


async def test_no_secret_is_in_a_log_of_proxy_or_session(apache: Apache, gateway: RunningGateway) -> None:
    token = gateway.login_token(time.time())
    async with visitor(apache, "old") as me:
        await log_in(me, gateway, token)
        await me.get(node(gateway, "/v1/models"), headers={"X-Api-Key": gateway.key})
        cookie = me.cookies["mod_auth_openidc_session"]
        session_cookie = me.cookies["curc_llm_s1"]
    paths = [*apache.folder.glob("*.log"), *gateway.paths.logs.glob("*")]
    logs = "".join(path.read_text(errors="replace") for path in paths)
    assert node(gateway, "/login") in logs
    for secret in (token, gateway.key, cookie, session_cookie):
        assert secret not in logs
