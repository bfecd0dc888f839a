"""`POST /successor`: from a session's page to that of the session which has taken over from it."""

from __future__ import annotations

import time

import pytest

from curc_llm.gateway.moving import make_prefix
from curc_llm.session.login import check_token, make_login_secret
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord, SessionStatus
from curc_llm.session.store import write_record
from tests.gateway.conftest import RunningGateway
from tests.gateway.guests import let_in, share
from tests.gateway.test_login import cookie_of

SAME = {"Sec-Fetch-Site": "same-origin"}
PORTAL = {"X-Forwarded-Host": "portal.example"}


def record(session_id: str, **more: object) -> SessionRecord:
    own = {"owner": "me", "host": "c2", "pid": 1, "pid_started": 1.0, "status": "ready", "started_at": 1.0}
    values = {**own, "session_id": session_id, "heartbeat_at": time.time(), "port": 8001, **more}
    return SessionRecord.model_validate(values)


@pytest.fixture
def successor(gateway: RunningGateway) -> SessionPaths:
    """The next session's folder, as its job left it."""
    paths = SessionPaths(gateway.paths.root.parent / "slurm-next")
    paths.root.mkdir()
    make_login_secret(paths.login_secret)
    write_record(gateway.paths.record, record("s1", successor="slurm-next", host="c1"))
    write_record(paths.record, record("slurm-next", base_url="http://c2:8001/v1"))
    return paths


async def test_the_owner_gets_a_link_that_logs_in_there(
    gateway: RunningGateway, successor: SessionPaths
) -> None:
    cookie = {**await cookie_of(gateway), **SAME}
    reply = await gateway.ask("POST", "/successor", {}, cookie)
    assert (reply.status, reply.json["session_id"]) == (200, "slurm-next")
    address, _, token = reply.json["link"].partition("#token=")
    assert address == "http://c2:8001/login"
    secret = successor.login_secret.read_text().strip()
    assert check_token(secret, "login", token, time.time()) is not None
    log = await gateway.wait_log("audit", 2)
    assert next(line for line in log if line["event"] == "moved")["of_session"] == "slurm-next"
    assert token not in str(log)
    at_portal = await gateway.ask("POST", "/node/c1/8000/successor", {}, {**cookie, **PORTAL})
    assert at_portal.json["link"].startswith("/node/c2/8001/login#token=")
    in_full = await gateway.ask("POST", "/node/c1.int.example/8000/successor", {}, {**cookie, **PORTAL})
    assert in_full.json["link"].startswith("/node/c2.int.example/8001/login#token=")


@pytest.mark.parametrize(
    ("called", "own", "other", "then"),
    [
        ("c1", "c1.int.example", "c2.int.example", "c2"),
        ("10.0.0.1", "c1", "c2", "c2"),
        ("c1.int.example", "c1.int.example", "c2.int.example", "c2.int.example"),
    ],
)
def test_the_next_node_is_called_as_the_portal_calls_this_one(
    called: str, own: str, other: str, then: str
) -> None:
    assert make_prefix(f"/node/{called}/8000", own, other, 8001) == f"/node/{then}/8001"


async def test_a_guest_a_key_and_another_site_get_none(
    gateway: RunningGateway, successor: SessionPaths
) -> None:
    ana = await let_in(gateway, share(gateway, "ana"), "ana")
    foreign = {**await cookie_of(gateway), "Origin": "http://elsewhere.example"}
    replies = [
        await ana.ask("POST", "/successor", {}),
        await gateway.ask("POST", "/successor", {}, foreign),
        await gateway.ask("POST", "/successor", {}, gateway.auth),
        await gateway.ask("POST", "/successor", {}),
    ]
    assert [reply.status for reply in replies] == [403, 403, 404, 401]
    assert not any("token" in reply.body.decode() for reply in replies)


async def test_without_a_page_to_go_to_it_is_said(gateway: RunningGateway, successor: SessionPaths) -> None:
    cookie = {**await cookie_of(gateway), **SAME}
    write_record(successor.record, record("slurm-next", status=SessionStatus.ENDED))
    gone = await gateway.ask("POST", "/successor", {}, cookie)
    assert (gone.status, gone.code) == (409, "successor_not_there")
    write_record(gateway.paths.record, record("s1"))
    none = await gateway.ask("POST", "/successor", {}, cookie)
    assert (none.status, none.code) == (409, "not_handed_over")
