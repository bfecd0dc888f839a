"""Promises about who gets in: keys, login links, other users, and where secrets are."""

from __future__ import annotations

import secrets
import stat
import time
from collections.abc import Iterator

from curc_llm.centre.accepted import Accepted
from curc_llm.centre.promise import BrokenPromiseError, Promise, UnknownPromiseError, expect, try_promise
from curc_llm.centre.web import BROWSER, Reply, ask
from curc_llm.session.keys import read_secret_file
from curc_llm.session.login import make_login_token

REFUSED = (401, 403)
CHAT_STARTS = 503
MOST_CHAT_S = 90.0
GUARDED = ("/v1/models", "/metrics", "/status", "/v1/chat/completions")


def check_access(session: Accepted) -> Iterator[Promise]:
    """All that can be seen of who gets in, while the session runs."""
    yield try_promise(
        "refused_without_key", "Without a key nothing answers.", lambda: refuse_strangers(session)
    )
    yield try_promise("refused_wrong_key", "A wrong key is refused.", lambda: refuse_wrong_key(session))
    yield try_promise(
        "refused_other_user", "Another user of the portal is refused, even with the key.",
        lambda: refuse_other_user(session),
    )  # fmt: skip
    yield try_promise(
        "login_once", "A login link opens the chat once, and never again.", lambda: log_in_once(session)
    )
    yield try_promise(
        "private_files", "Only the owner can read the session's files.", lambda: see_modes(session)
    )
    yield try_promise(
        "no_secret_elsewhere", "Keys are in no log and no record.", lambda: find_secrets(session)
    )


def refuse_strangers(session: Accepted) -> str:
    """401 on everything that isn't the health page or the login page."""
    for path in GUARDED:
        status = ask(session.url(path)).status
        expect(status in REFUSED, f"{path} answers {status} without a key")
    status = ask(session.url("/v1/chat/completions"), value=session.question()).status
    expect(status in REFUSED, f"a question without a key is answered with {status}")
    return f"401 or 403 on {', '.join(GUARDED)}"


def refuse_wrong_key(session: Accepted) -> str:
    """Keys that look right and aren't."""
    for name, value in (
        ("Authorization", f"Bearer {secrets.token_hex(16)}"),
        ("X-Api-Key", secrets.token_hex(16)),
    ):
        status = ask(session.url("/v1/models"), headers={name: value}).status
        expect(status in REFUSED, f"{name} with a wrong key is answered with {status}")
    return "401 or 403, as Authorization and as X-Api-Key"


def refuse_other_user(session: Accepted) -> str:
    """What the portal's proxy says of the user outranks the key."""
    headers = session.key_headers() | {"X-Forwarded-User": f"not-{session.owner}"}
    status = ask(session.url("/v1/models"), headers=headers).status
    expect(status in REFUSED, f"answered with {status}")
    return f"{status} for X-Forwarded-User of somebody else"


def log_in_once(session: Accepted) -> str:
    """The form of the card: a token, a cookie, the chat page; the same token again: nothing."""
    token = make_login_token(session.paths.login_secret, time.time())
    first = ask(session.url("/login"), form={"token": token}, headers=BROWSER)
    cookie = first.headers.get("set-cookie", "")
    expect(first.status == 303 and bool(cookie), f"the first login is answered with {first.status}")
    expect("httponly" in cookie.lower(), "the cookie can be read by scripts")
    again = ask(session.url("/login"), form={"token": token}, headers=BROWSER)
    expect(again.status in REFUSED and "set-cookie" not in again.headers, f"the second login: {again.status}")
    own = {"Cookie": cookie.partition(";")[0]}
    page = _open_chat(session, BROWSER | own)
    expect(page.status == 200 and "<html" in page.body.lower(), f"the chat page answers {page.status}")
    api = ask(session.url("/v1/models"), headers=own).status
    expect(api in REFUSED, f"the cookie opens the API ({api})")
    return f"303, then {again.status}; chat page of {len(page.body) // 1024} KiB; the cookie opens no API"


def _open_chat(session: Accepted, headers: dict[str, str]) -> Reply:
    """The chat page; while its process starts the gateway says 503, and a browser asks again by itself."""
    until = time.monotonic() + MOST_CHAT_S
    while True:
        page = ask(session.url("/chat/"), headers=headers, timeout_s=MOST_CHAT_S)
        if page.status != CHAT_STARTS or time.monotonic() > until:
            return page
        time.sleep(0.5)


def see_modes(session: Accepted) -> str:
    """0700 for the folder, 0600 for what is secret."""
    paths = session.paths
    wanted = {
        paths.root: 0o700,
        paths.logs: 0o700,
        paths.api_key: 0o600,
        paths.login_secret: 0o600,
        paths.keys: 0o600,
    }
    for path, most in wanted.items():
        mode = stat.S_IMODE(path.stat().st_mode)
        expect(not mode & ~most, f"{path.name} has the mode {mode:04o}")
    return "folders 0700, keys 0600"


def find_secrets(session: Accepted) -> str:
    """The key and the login secret in no other file of the session, and in no process's command line here."""
    known = [read_secret_file(session.paths.api_key), read_secret_file(session.paths.login_secret)]
    own = {session.paths.api_key, session.paths.login_secret}
    files = [path for path in session.paths.root.rglob("*") if path.is_file() and path not in own]
    if not files:
        raise UnknownPromiseError("the session has no files")
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        if any(secret in text for secret in known):
            raise BrokenPromiseError(f"{path.name} holds a secret")
    return f"{len(files)} files looked through"
