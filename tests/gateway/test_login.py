"""From a one-use link to a cookie."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from curc_llm.gateway.login import UsedTokens
from curc_llm.session.keys import read_secret_file
from curc_llm.session.login import COOKIE_LIFE_S, make_token
from tests.gateway.conftest import Reply, RunningGateway, StartGateway

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def log_in(gateway: RunningGateway, prefix: str = "", token: str = "", **headers: str) -> Reply:
    token = token or gateway.login_token(time.time())
    body = f"token={quote(token, safe='')}".encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return await gateway.ask("POST", prefix + "/login", body, {**FORM, **headers})


async def cookie_of(gateway: RunningGateway) -> dict[str, str]:
    reply = await log_in(gateway)
    return {"Cookie": reply.headers["set-cookie"].split(";")[0]}


@pytest.mark.parametrize("prefix", ["", "/node/n1.rc.int/8000"])
async def test_a_token_is_traded_for_a_cookie_and_the_chat(gateway: RunningGateway, prefix: str) -> None:
    reply = await log_in(gateway, prefix)
    assert (reply.status, reply.headers["location"]) == (303, prefix + "/chat/")
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("curc_llm_s1=owner~")
    assert f"Path={prefix}/;" in cookie
    assert "HttpOnly; SameSite=Lax" in cookie
    assert "Secure" not in cookie


async def test_behind_https_the_cookie_is_secure(gateway: RunningGateway) -> None:
    reply = await log_in(gateway, X_Forwarded_Proto="https")
    assert reply.headers["set-cookie"].endswith("; Secure")


async def test_a_token_works_once(gateway: RunningGateway) -> None:
    token = gateway.login_token(time.time())
    assert (await log_in(gateway, token=token)).status == 303
    reply = await log_in(gateway, token=token)
    assert reply.status == 401
    assert "set-cookie" not in reply.headers
    assert "curc-llm endpoint" in reply.body.decode()
    assert "works once" in reply.body.decode()


async def test_a_restarted_gateway_still_knows_which_tokens_were_used(start_gateway: StartGateway) -> None:
    first = await start_gateway()
    token = first.login_token(time.time())
    assert (await log_in(first, token=token)).status == 303
    second = await start_gateway()
    assert (await log_in(second, token=token)).status == 401


@pytest.mark.parametrize("age_s", [601, 3600, 86400 * 400])
async def test_an_old_token_is_refused(gateway: RunningGateway, age_s: float) -> None:
    assert (await log_in(gateway, token=gateway.login_token(time.time() - age_s))).status == 401


@pytest.mark.parametrize("token", ["x", "owner~99999999999~n~forged", "~~~", "a" * 3000, "\x00", "ö"])
async def test_a_forged_token_is_refused(gateway: RunningGateway, token: str) -> None:
    assert (await log_in(gateway, token=token)).status == 401


async def test_a_cookie_is_no_token_and_a_token_no_cookie(gateway: RunningGateway) -> None:
    secret = read_secret_file(gateway.paths.login_secret)
    now = time.time()
    assert (await log_in(gateway, token=make_token(secret, "cookie", "owner", now, 100))).status == 401
    cookie = {"Cookie": f"curc_llm_s1={gateway.login_token(now)}"}
    assert (await gateway.ask("GET", "/status", None, cookie)).status == 401


async def test_the_whole_link_may_be_pasted(gateway: RunningGateway) -> None:
    token = gateway.login_token(time.time())
    assert (await log_in(gateway, token=f" http://n1:8000/login#token={token} ")).status == 303


async def test_a_form_that_is_no_login_s_is_refused(gateway: RunningGateway) -> None:
    assert (await gateway.ask("POST", "/login", b"", FORM)).status == 401
    assert (await gateway.ask("POST", "/login", b"\xff\xfe=&&&token", FORM)).status == 401
    assert (await gateway.ask("POST", "/login", b"token=" + b"a" * 5000, FORM)).status == 413


async def test_guessing_tokens_is_slowed_down_but_a_real_one_passes(gateway: RunningGateway) -> None:
    statuses = [(await log_in(gateway, token="guess")).status for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    assert (await log_in(gateway)).status == 303


async def test_a_token_in_the_address_is_refused(gateway: RunningGateway) -> None:
    token = gateway.login_token(time.time())
    assert (await gateway.ask("GET", f"/login?token={quote(token)}")).status == 401


async def test_the_cookie_opens_pages_but_never_the_api(gateway: RunningGateway) -> None:
    await gateway.tell()
    cookie = await cookie_of(gateway)
    assert (await gateway.ask("GET", "/status", None, cookie)).json["session_id"] == "s1"
    root = await gateway.ask("GET", "/node/n1/1/", None, cookie)
    assert (root.status, root.headers["location"]) == (303, "/node/n1/1/chat/")
    assert (await gateway.ask("GET", "/chat", None, cookie)).headers["location"] == "/chat/"
    for method, path in (("GET", "/v1/models"), ("GET", "/metrics"), ("GET", "/nothing")):
        assert (await gateway.ask(method, path, None, cookie)).status in {401, 404}
    same = {**cookie, "Origin": "http://here"}
    for path in ("/v1/chat/completions", "/tokenize"):
        assert (await gateway.ask("POST", path, {}, same)).status in {401, 404}


async def test_a_cookie_of_another_session_or_time_is_none(gateway: RunningGateway) -> None:
    secret = read_secret_file(gateway.paths.login_secret)
    late = make_token(secret, "cookie", "owner", time.time() - COOKIE_LIFE_S - 1, COOKIE_LIFE_S)
    for cookie in (
        f"curc_llm_s1={late}",
        f"curc_llm_s2={late}",
        "curc_llm_s1=",
        "curc_llm_s1",
        "x=curc_llm_s1=1",
    ):
        assert (await gateway.ask("GET", "/status", None, {"Cookie": cookie})).status == 401


async def test_the_cookie_is_found_among_others(gateway: RunningGateway) -> None:
    cookie = (await cookie_of(gateway))["Cookie"]
    for text in (f"a=b; {cookie}; c=d", f'_session="x y"; {cookie}'):
        assert (await gateway.ask("GET", "/status", None, {"Cookie": text})).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://here"}, 200),
        ({"Origin": "https://portal.edu", "X-Forwarded-Host": "portal.edu"}, 200),
        ({"Origin": "https://portal.edu:443", "X-Forwarded-Host": "portal.edu"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://here.evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "http://here:8080"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({}, 403),
    ],
)
async def test_with_a_cookie_only_the_session_s_own_page_may_change_anything(
    gateway: RunningGateway, headers: dict[str, str], status: int
) -> None:
    cookie = await cookie_of(gateway)
    reply = await gateway.ask("POST", "/keep-going", b"", {**cookie, **headers})
    assert reply.status == status


async def test_another_site_can_t_log_a_browser_in(gateway: RunningGateway) -> None:
    assert (await log_in(gateway, Origin="http://evil.example")).status == 403
    assert (await log_in(gateway, Origin="null")).status == 403
    assert (await log_in(gateway, Origin="http://here")).status == 303


async def test_a_browser_without_a_cookie_is_told_how_to_get_in(gateway: RunningGateway) -> None:
    for path in ("/", "/chat/", "/status", "/node/n1/8/chat/some/page"):
        reply = await gateway.ask("GET", path, None, {"Accept": "text/html,application/xhtml+xml"})
        page = reply.body.decode()
        assert reply.status == 401
        assert "curc-llm endpoint" in page
        prefix = "/node/n1/8" if path.startswith("/node") else ""
        assert f'action="{prefix}/login"' in page
        assert page.count("<h2>From the portal</h2>") == 1
        assert "curc-llm endpoint --login-link" in page
        assert "ask the person who shared the session for a new link" in page


async def test_pages_allow_nothing_that_is_not_theirs(gateway: RunningGateway) -> None:
    replies = [await gateway.ask("GET", "/login") for _ in range(2)]
    policies = [reply.headers["content-security-policy"] for reply in replies]
    nonces = [re.findall("'nonce-([^']+)'", policy)[0] for policy in policies]
    assert nonces[0] != nonces[1]
    assert f'<script nonce="{nonces[0]}">' in replies[0].body.decode()
    assert "default-src 'none'" in policies[0]
    assert "frame-ancestors 'self'" in policies[0]
    for name, value in (("x-content-type-options", "nosniff"), ("cache-control", "no-store")):
        assert replies[0].headers[name] == value
    # With `no-referrer` the browser would say `Origin: null` when it posts the token.
    assert replies[0].headers["referrer-policy"] == "same-origin"


async def test_a_prefix_can_t_put_anything_into_a_page(gateway: RunningGateway) -> None:
    reply = await gateway.ask("GET", '/node/"><script>x/1/login')
    assert b'"><script>x' not in reply.body


async def test_logins_are_written_down_without_the_token(gateway: RunningGateway) -> None:
    token = gateway.login_token(time.time())
    await log_in(gateway, token=token)
    await log_in(gateway, token=token)
    lines = await gateway.wait_log("audit", 2)
    assert [(line["event"], line.get("name"), line.get("why")) for line in lines] == [
        ("login", "owner", None),
        ("refused", None, "login token"),
    ]
    assert token.split("~")[3] not in gateway.paths.audit_log.read_text()


def test_used_tokens_are_remembered_even_when_they_can_t_be_written(tmp_path: Path) -> None:
    used = UsedTokens(tmp_path / "no-such-folder" / "used")
    assert used.use("n1", 100, now=0)
    assert not used.use("n1", 100, now=0)


def test_expired_tokens_are_forgotten_and_a_broken_file_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "used").write_text("not what\nwe wrote\n")
    used = UsedTokens(tmp_path / "used")
    for n in range(100):
        used.use(f"n{n}", n, now=n - 1)
    assert len(used._used) == 1


async def test_cookies_that_are_none_let_nobody_in(gateway: RunningGateway) -> None:
    for text in (
        "curc_llm_s1=a,b; ;; =",
        'curc_llm_s1="unclosed',
        "curc_llm_s1 = x;",
        "\x80curc_llm_s1=\xff",
    ):
        assert (await gateway.ask("GET", "/status", None, {"Cookie": text})).status == 401


async def test_without_the_secret_nobody_is_logged_in(gateway: RunningGateway) -> None:
    token = gateway.login_token(time.time())
    gateway.paths.login_secret.chmod(0o644)
    reply = await log_in(gateway, token=token)
    assert (reply.status, reply.code) == (503, "keys_unavailable")
    gateway.paths.login_secret.chmod(0o600)
    assert (await log_in(gateway, token=token)).status == 303


async def test_a_person_sees_errors_as_pages(gateway: RunningGateway) -> None:
    headers = {**(await cookie_of(gateway)), "Accept": "text/html"}
    reply = await gateway.ask("GET", "/no<b>thing", None, headers)
    assert (reply.status, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b"There is nothing at /no&lt;b&gt;thing." in reply.body


async def test_a_second_click_lets_a_browser_in_that_is_in_already(gateway: RunningGateway) -> None:
    token = gateway.login_token(time.time())
    first = await log_in(gateway, "/node/n/1", token)
    cookie = first.headers["set-cookie"].split(";")[0]
    again = await log_in(gateway, "/node/n/1", token, Cookie=cookie)
    assert (again.status, again.headers["location"]) == (303, "/node/n/1/chat/")
    assert "set-cookie" not in again.headers
    forged = await log_in(gateway, token="owner~99999999999~x~y", Cookie=cookie)
    assert forged.status == 401


async def test_the_session_s_own_page_can_show_the_key(gateway: RunningGateway) -> None:
    own = {**await cookie_of(gateway), "Sec-Fetch-Site": "same-origin"}
    reply = await gateway.ask("POST", "/key", b"", own)
    assert reply.json == {"key": read_secret_file(gateway.paths.api_key)}
    assert "no-store" in reply.headers["cache-control"]
    lines = await gateway.wait_log("audit", 2)
    assert lines[-1]["event"] == "key_shown"
    assert reply.json["key"] not in gateway.paths.audit_log.read_text()


async def test_nobody_else_gets_the_key_shown(gateway: RunningGateway) -> None:
    cookie = await cookie_of(gateway)
    assert (await gateway.ask("POST", "/key", b"", cookie)).status == 403  # it doesn't say from which page
    elsewhere = {**cookie, "Origin": "https://evil.example"}
    assert (await gateway.ask("POST", "/key", b"", elsewhere)).status == 403
    assert (await gateway.ask("GET", "/key", b"", cookie)).status == 405
    assert (await gateway.ask("POST", "/key", b"", {"Sec-Fetch-Site": "same-origin"})).status == 401
    token = make_token(read_secret_file(gateway.paths.login_secret), "cookie", "bob", time.time(), 60)
    guest = {"Cookie": f"curc_llm_s1={token}", "Sec-Fetch-Site": "same-origin"}
    assert (await gateway.ask("POST", "/key", b"", guest)).status == 401  # shared with nobody of that name


async def test_the_session_s_own_page_says_what_becomes_of_the_data(gateway: RunningGateway) -> None:
    page = await gateway.ask("GET", "/status", b"", {**await cookie_of(gateway), "Accept": "text/html"})
    assert "Your data." in page.body.decode()
    assert "HIPAA" in page.body.decode()
    assert 'data-copy="url"' in page.body.decode()
