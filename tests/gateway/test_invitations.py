"""Who gets in by an invitation, how often, and who doesn't."""

from __future__ import annotations

import time

import pytest

from curc_llm.session.keys import read_secret_file, revoke_key
from curc_llm.session.login import make_token
from curc_llm.session.shares import name_cookie_purpose
from tests.gateway.conftest import (
    RunningGateway,
    StartGateway,
    open_connection,
    read_reply,
    wait_for,
)
from tests.gateway.guests import Browser, invite, key_of, let_in, share, share_link
from tests.gateway.test_login import cookie_of


async def is_in(browser: Browser) -> bool:
    return (await browser.ask("GET", "/status")).status == 200


async def test_a_user_s_link_works_again_and_in_a_second_browser_at_the_portal(
    gateway: RunningGateway,
) -> None:
    token = invite(gateway, share(gateway, "ana"))
    laptop, desktop = Browser(gateway, "ana"), Browser(gateway, "ana")
    for browser in (laptop, desktop, laptop):
        reply = await browser.open(token)
        assert (reply.status, reply.headers["location"]) == (303, "/node/n1/8/chat/")
        assert "HttpOnly; SameSite=Lax" in reply.headers["set-cookie"]
        assert await is_in(browser)


async def test_a_user_s_link_is_refused_to_another_portal_user(gateway: RunningGateway) -> None:
    share(gateway, "bob")
    token = invite(gateway, share(gateway, "ana"))
    bob, eve = Browser(gateway, "bob"), Browser(gateway, "eve")
    reply = await bob.open(token)
    assert reply.status == 403
    assert "for &#x27;ana&#x27;" in reply.body.decode()
    assert "set-cookie" not in reply.headers
    assert (await eve.open(token)).status == 403


async def test_without_a_portal_a_user_s_link_works_once(gateway: RunningGateway) -> None:
    token = invite(gateway, share(gateway, "ana"))
    first, second = Browser(gateway), Browser(gateway)
    assert (await first.open(token)).status == 303
    reply = await second.open(token)
    assert reply.status == 401
    assert "has been used" in reply.body.decode()
    assert await is_in(first)
    assert not await is_in(second)


@pytest.mark.parametrize("portal_user", [None, "zoe"])
async def test_a_bearer_link_lets_in_one_browser(gateway: RunningGateway, portal_user: str | None) -> None:
    token = invite(gateway, share_link(gateway))
    first, second = Browser(gateway, portal_user), Browser(gateway, portal_user)
    assert (await first.open(token)).status == 303
    assert (await second.open(token)).status == 401
    assert (await first.open(token)).status == 303  # a second click in the browser that is in
    assert await is_in(first)
    assert not await is_in(second)


async def test_a_restarted_gateway_knows_which_links_were_used_and_who_is_in(
    start_gateway: StartGateway,
) -> None:
    first = await start_gateway()
    token = invite(first, share_link(first))
    guest = Browser(first)
    await guest.open(token)
    second = await start_gateway()
    assert (await Browser(second).open(token)).status == 401
    guest.gateway = second
    await second.tell()
    assert await is_in(guest)


async def test_a_bearer_link_s_cookie_stays_with_the_portal_user_who_took_it(gateway: RunningGateway) -> None:
    zoe = await let_in(gateway, share_link(gateway), "zoe")
    assert await is_in(zoe)
    for thief in ("eve", "me", None):
        browser = Browser(gateway, thief, zoe.cookie)
        assert (await browser.ask("GET", "/chat/")).status in {401, 403}


async def test_a_stranger_of_the_portal_sees_nothing_but_the_login_while_a_link_is_out(
    gateway: RunningGateway,
) -> None:
    eve = Browser(gateway, "eve")
    share(gateway, "ana")
    assert (await eve.ask("GET", "/login")).status == 403
    entry = share_link(gateway)
    assert (await eve.ask("GET", "/login")).status == 200
    for path in ("/", "/health", "/status", "/chat/", "/v1/models", "/key", "/metrics"):
        assert (await eve.ask("GET", path)).status == 403, path
    revoke_key(gateway.paths.keys, entry.name)
    assert (await eve.ask("GET", "/login")).status == 403


async def test_a_portal_user_with_whom_it_isn_t_shared_is_refused_with_any_cookie_and_key(
    gateway: RunningGateway,
) -> None:
    await gateway.tell()
    entry = share(gateway, "ana")
    ana = await let_in(gateway, entry, "ana")
    owner = (await cookie_of(gateway))["Cookie"]
    for cookie in (ana.cookie, owner):
        assert (await Browser(gateway, "eve", cookie).ask("GET", "/status")).status in {401, 403}
    for key in (key_of(gateway, entry), gateway.key):
        assert (await Browser(gateway, "eve").ask("GET", "/status", X_Api_Key=key)).status == 403


async def test_a_guest_at_the_portal_is_nobody_else_with_their_cookie_or_key(gateway: RunningGateway) -> None:
    await gateway.tell()
    ana, bob = share(gateway, "ana"), share(gateway, "bob")
    stolen = (await let_in(gateway, bob, "bob")).cookie
    owner = (await cookie_of(gateway))["Cookie"]
    for cookie in (stolen, owner):
        assert (await Browser(gateway, "ana", cookie).ask("GET", "/status")).status == 401
    for key in (key_of(gateway, bob), gateway.key):
        assert (await Browser(gateway, "ana").ask("GET", "/status", X_Api_Key=key)).status == 403
    own = await Browser(gateway, "ana").ask("GET", "/status", X_Api_Key=key_of(gateway, ana))
    assert own.json["guest"]["name"] == "ana"


async def test_the_owner_doesn_t_use_up_a_link_by_trying_it(gateway: RunningGateway) -> None:
    token = invite(gateway, share_link(gateway))
    at_portal = Browser(gateway, "me")
    logged_in = Browser(gateway, None, (await cookie_of(gateway))["Cookie"])
    for browser in (at_portal, logged_in):
        reply = await browser.open(token)
        assert reply.status == 403
        assert "still unused" in reply.body.decode()
    assert (await Browser(gateway, "zoe").open(token)).status == 303


async def test_the_owner_s_own_link_lets_no_guest_in(gateway: RunningGateway) -> None:
    share(gateway, "ana")
    token = gateway.login_token(time.time())
    assert (await Browser(gateway, "ana").open(token)).status == 401
    assert (await Browser(gateway, "me").open(token)).status == 303  # it wasn't used up


async def test_what_was_revoked_lets_nobody_in_also_after_it_is_shared_anew(gateway: RunningGateway) -> None:
    await gateway.tell()
    old = share(gateway, "ana")
    token, key = invite(gateway, old), key_of(gateway, old)
    ana = await let_in(gateway, old, "ana")
    revoke_key(gateway.paths.keys, "ana")
    for is_shared_anew in (False, True):
        if is_shared_anew:
            share(gateway, "ana")
        assert not await is_in(ana)
        assert (await Browser(gateway, "ana").open(token)).status == (401 if is_shared_anew else 403)
        assert (await Browser(gateway).open(token)).status == 401
        assert (await gateway.ask("GET", "/status", None, {"X-Api-Key": key})).status == 401


async def test_a_share_that_has_run_out_lets_nobody_in(gateway: RunningGateway) -> None:
    entry = share(gateway, "ana", expires_at=time.time() + 0.4)
    token = invite(gateway, entry)
    ana = Browser(gateway, "ana")
    await ana.open(token)
    while time.time() < (entry.expires_at or 0):
        await ana.ask("GET", "/login")
    assert not await is_in(ana)
    assert (await Browser(gateway, "ana").open(token)).status in {401, 403}


async def test_an_invitation_isn_t_a_cookie_nor_a_login_of_the_owner(gateway: RunningGateway) -> None:
    entry = share(gateway, "ana")
    secret, now = read_secret_file(gateway.paths.login_secret), time.time()
    token = invite(gateway, entry)
    assert not await is_in(Browser(gateway, "ana", f"curc_llm_s1={token}"))
    as_owner = "owner~" + token.split("~", 1)[1]
    forged = [
        as_owner,
        make_token(secret, "login", "ana", now, 600),
        make_token(secret, "cookie", "ana", now, 600),
        make_token(secret, "invite:", "ana", now, 600),
        make_token(secret, name_cookie_purpose(entry, "ana"), "ana", now, 600),
        make_token(secret, f"invite:{entry.share_id}", "bob", now, 600),
        "ana~99999999999~n~x",
        "link:lab:00~1~n~x",
    ]
    for wrong in forged:
        assert (await Browser(gateway, "ana").open(wrong)).status == 401, wrong
        assert (await Browser(gateway).open(wrong)).status in {401, 429}
    for wrong in forged[1:4]:
        assert not await is_in(Browser(gateway, "ana", f"curc_llm_s1={wrong}"))


async def test_a_link_outlives_ten_minutes(gateway: RunningGateway) -> None:
    entry = share_link(gateway)
    parts = invite(gateway, entry).split("~")
    assert int(parts[1]) > time.time() + 30 * 86400
    limited = share(gateway, "ana", expires_at=time.time() + 3600)
    assert int(invite(gateway, limited).split("~")[1]) <= time.time() + 3600


async def test_a_cookie_lasts_no_longer_than_its_share(gateway: RunningGateway) -> None:
    def age_of(cookie: str) -> int:
        return int(cookie.split("Max-Age=")[1].split(";")[0])

    brief = share(gateway, "ana", expires_at=time.time() + 100)
    assert age_of((await Browser(gateway, "ana").open(invite(gateway, brief))).headers["set-cookie"]) <= 100
    bob = await Browser(gateway, "bob").open(invite(gateway, share(gateway, "bob")))
    assert age_of(bob.headers["set-cookie"]) == 12 * 3600  # who can come in again
    link = await Browser(gateway).open(invite(gateway, share_link(gateway)))
    assert age_of(link.headers["set-cookie"]) > 30 * 86400  # who can't


async def test_two_names_in_the_portal_s_header_are_refused(gateway: RunningGateway) -> None:
    share(gateway, "ana")
    request = b"GET /health HTTP/1.1\r\nHost: here\r\nX-Forwarded-User: me\r\nX-Forwarded-User: ana\r\n\r\n"
    reader, writer = await open_connection(gateway.port)
    writer.write(request)
    assert (await read_reply(reader)).status == 403
    writer.close()


async def test_logins_of_guests_are_written_down_without_a_secret(gateway: RunningGateway) -> None:
    entry = share(gateway, "ana")
    token = invite(gateway, entry)
    await Browser(gateway, "ana").open(token)
    await Browser(gateway, "me").open(token)
    lines = await wait_for(lambda: found if len(found := _list_logins(gateway)) == 2 else None)
    assert lines == [("login", "ana"), ("refused", "invitation for somebody else")]
    text = gateway.paths.audit_log.read_text() + gateway.paths.keys.read_text()
    assert token.split("~")[3] not in text
    assert key_of(gateway, entry) not in text


async def test_guessing_invitations_is_slowed_down(gateway: RunningGateway) -> None:
    share(gateway, "ana")
    statuses = [(await Browser(gateway).open("ana~99999999999~n~x")).status for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2


def _list_logins(gateway: RunningGateway) -> list[tuple[str, str]]:
    lines = [line for line in gateway.log("audit") if line["event"] in {"login", "refused"}]
    return [(line["event"], line.get("name") or line["why"]) for line in lines]
