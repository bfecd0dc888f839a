"""Keys: who is let in, who isn't, and what they are told."""

from __future__ import annotations

import pytest

from curc_llm.session.keys import add_key, make_key, revoke_key
from tests.fakes.fake_engine import FakeEngine
from tests.gateway.conftest import RunningGateway, StartGateway, wait_for

EVERYWHERE = [
    "/v1/models",
    "/status",
    "/metrics",
    "/chat/",
    "/",
    "/nothing",
    "/v1/chat/completions",
    "/keep-going",
    "/restart",
]


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PUT"])
async def test_without_a_key_everything_is_401(gateway: RunningGateway, method: str, path: str) -> None:
    for prefix in ("", "/node/n1/8000"):
        reply = await gateway.ask(method, prefix + path)
        assert (reply.status, reply.code) == (401, "invalid_api_key")
        assert reply.headers["www-authenticate"] == "Bearer"
        assert "X-Api-Key" in reply.json["error"]["message"]


async def test_a_key_is_taken_from_either_header(gateway: RunningGateway) -> None:
    for headers in (
        {"Authorization": f"Bearer {gateway.key}"},
        {"authorization": f"bearer   {gateway.key}"},
        {"X-Api-Key": gateway.key},
        {"X-Api-Key": gateway.key, "Authorization": f"Bearer {gateway.key}"},
    ):
        assert (await gateway.ask("GET", "/status", None, headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic b3duZXI6eA=="},
        {"Authorization": "token abc"},
        {"X-Api-Key": "curc-" + "a" * 43},
        {"X-Api-Key": "\xff\xfe"},
    ],
)
async def test_a_wrong_key_is_refused(gateway: RunningGateway, headers: dict[str, str]) -> None:
    reply = await gateway.ask("GET", "/status", None, headers)
    assert (reply.status, reply.code) == (401, "invalid_api_key")


async def test_a_good_key_beside_a_bad_one_is_refused(gateway: RunningGateway) -> None:
    headers = {**gateway.auth, "X-Api-Key": "curc-" + "a" * 43}
    assert (await gateway.ask("GET", "/status", None, headers)).status == 401


async def test_a_new_key_works_and_a_revoked_key_is_refused_at_once(gateway: RunningGateway) -> None:
    for _ in range(3):
        key = add_key(gateway.paths.keys, "ann")
        assert (await gateway.ask("GET", "/status", None, {"X-Api-Key": key})).status == 200
        revoke_key(gateway.paths.keys, "ann")
        assert (await gateway.ask("GET", "/status", None, {"X-Api-Key": key})).status == 401
    events = await wait_for(lambda: [line for line in gateway.log("audit") if line["event"] == "keys_read"])
    assert events[-1]["keys"] > 1


async def test_an_expired_key_is_refused(gateway: RunningGateway) -> None:
    key = add_key(gateway.paths.keys, "bob", expires_at=1.0)
    assert (await gateway.ask("GET", "/status", None, {"X-Api-Key": key})).status == 401


async def test_nobody_is_let_in_while_the_key_file_can_t_be_trusted(gateway: RunningGateway) -> None:
    gateway.paths.keys.chmod(0o644)
    auth = gateway.auth
    gateway.paths.keys.touch()
    reply = await gateway.ask("GET", "/status", None, auth)
    assert (reply.status, reply.code) == (503, "keys_unavailable")
    gateway.paths.keys.chmod(0o600)
    assert (await gateway.ask("GET", "/status", None, auth)).status == 200
    gateway.paths.keys.unlink()
    assert (await gateway.ask("GET", "/status", None, auth)).status == 503


@pytest.mark.parametrize("query", ["api_key={}", "key={}", "x=1&token={}", "other={}", "access_token=abc"])
async def test_a_key_in_the_address_is_refused_even_when_it_is_right(
    gateway: RunningGateway, query: str
) -> None:
    reply = await gateway.ask("GET", "/v1/models?" + query.format(gateway.key), None, gateway.auth)
    assert reply.status == 401
    assert "Keys don't go into addresses" in reply.json["error"]["message"]
    assert "X-Api-Key" in reply.json["error"]["message"]


async def test_a_key_in_the_body_is_refused_and_reaches_no_engine(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reply = await gateway.ask("POST", "/v1/completions", {"prompt": "x", "api_key": gateway.key})
    assert reply.status == 401
    reply = await gateway.ask(
        "POST", "/v1/completions", {"prompt": "x", "api_key": gateway.key}, gateway.auth
    )
    assert reply.status == 400
    assert "header" in reply.json["error"]["message"]
    assert engine.seen == []


async def test_after_20_wrong_keys_an_address_is_slowed_down_but_a_right_key_passes(
    gateway: RunningGateway,
) -> None:
    statuses = []
    for _ in range(1000):
        reply = await gateway.ask("GET", "/v1/models", None, {"X-Api-Key": make_key()})
        statuses.append(reply.status)
    assert statuses == [401] * 20 + [429] * 980
    assert reply.code == "too_many_attempts"
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert (await gateway.ask("GET", "/status", None, gateway.auth)).status == 200
    lines = await gateway.wait_log("audit", 22)
    assert [line["event"] for line in lines].count("refused") == 20
    assert [line["event"] for line in lines].count("throttled") == 1
    metrics = (await gateway.ask("GET", "/metrics", None, gateway.auth)).body.decode()
    assert "curc_llm_auth_failures_total 1000.0" in metrics


async def test_a_missing_key_is_no_failed_attempt(gateway: RunningGateway) -> None:
    for _ in range(30):
        assert (await gateway.ask("GET", "/v1/models")).status == 401


async def test_another_user_of_the_portal_is_refused_everywhere(gateway: RunningGateway) -> None:
    for path in (*EVERYWHERE, "/health", "/login"):
        reply = await gateway.ask("GET", path, None, {**gateway.auth, "X-Forwarded-User": "eve"})
        assert (reply.status, reply.code) == (403, "permission_denied")
    assert (
        await gateway.ask("GET", "/status", None, {**gateway.auth, "X-Forwarded-User": "me"})
    ).status == 200


async def test_the_portal_s_word_alone_lets_nobody_in(gateway: RunningGateway) -> None:
    assert (await gateway.ask("GET", "/status", None, {"X-Forwarded-User": "me"})).status == 401


async def test_no_key_is_in_any_log(start_gateway: StartGateway) -> None:
    gateway = await start_gateway()
    wrong = make_key()
    await gateway.ask("GET", "/status", None, {"X-Api-Key": wrong})
    await gateway.ask("GET", f"/status?key={wrong}", None, gateway.auth)
    await gateway.chat()
    await gateway.wait_log("audit", 3)
    text = "".join(path.read_text() for path in gateway.paths.logs.iterdir())
    assert wrong not in text
    assert gateway.key not in text
