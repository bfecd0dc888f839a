"""From a link to a cookie: how a person's browser gets in.

The link carries its token in the fragment, which browsers send nowhere; the login page's script posts it. The
portal's card posts it directly. Either way the answer is a cookie and a redirect, and the token is worth
nothing any more. `invitations` judges those of guests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from curc_llm.errors import KeyFileError
from curc_llm.gateway.audit import Audit
from curc_llm.gateway.auth import Caller, Gatekeeper
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.invitations import Invitations, Refused
from curc_llm.gateway.keyring import KeyRing
from curc_llm.gateway.pages import answer_page
from curc_llm.gateway.request import Headers, Request
from curc_llm.session.keys import OWNER, read_secret_file
from curc_llm.session.login import COOKIE_LIFE_S, check_token, make_token

_MAX_FORM_BYTES = 4096
_ASK_AGAIN = "This link has been used or is too old: each works once, for ten minutes. Ask for a new one."


class UsedTokens:
    """Which login tokens were used; kept in a file too, so that a restarted gateway doesn't take one again.

    Args:
        path: the file; holds nonces and expiry times, which are no secrets.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._used: dict[str, int] = {}
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            self._used = {nonce: int(expiry) for nonce, expiry in (line.split() for line in lines)}
        except (OSError, ValueError):
            self._used = {}

    def use(self, nonce: str, expires_at: int, now: float) -> bool:
        """Marks a token as used; False when it was used before."""
        if nonce in self._used:
            return False
        self._used = {n: e for n, e in self._used.items() if e > now} | {nonce: expires_at}
        with suppress(OSError):  # a full disk: then memory alone remembers
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{nonce} {expires_at}\n")
        return True


class Login:
    """Trades tokens for cookies, and knows cookies again.

    Args:
        session_id: part of the cookie's name, so that sessions on one host don't overwrite each other's.
        secret_path: the file with the secret that signs tokens and cookies.
        used: the tokens that were used.
        keyring: the session's keys, shares among them.
        form_s: seconds within which a login's form must arrive.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        session_id: str,
        secret_path: Path,
        used: UsedTokens,
        gatekeeper: Gatekeeper,
        audit: Audit,
        keyring: KeyRing,
        form_s: float = 15.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cookie_name = f"curc_llm_{session_id}"
        self._secret_path = secret_path
        self._secret = ""
        self._used = used
        self._gatekeeper = gatekeeper
        self._audit = audit
        self._form_s = form_s
        self._clock = clock
        self._invitations = Invitations(keyring, gatekeeper.owner, used.use, clock)

    def find_caller(self, request: Request) -> Caller | None:
        """The caller whose cookie was sent, None when none or no valid one was."""
        for name, value in request.header_list:
            if name == b"cookie" and self.cookie_name.encode() in value:
                found = self._find_visitor(self._read_cookie(value.decode("latin-1")), request)
                if found is not None:
                    return found
        return None

    def _find_visitor(self, cookie: str, request: Request) -> Caller | None:
        secret, portal_user = self.read_secret(), self._gatekeeper.find_portal_user(request)
        if not cookie.startswith(OWNER + "~"):
            return self._invitations.find_guest(secret, cookie, portal_user)
        is_genuine = check_token(secret, "cookie", cookie, self._clock()) is not None
        # At the portal, a guest with the owner's cookie is not the owner.
        return Caller(OWNER) if is_genuine and portal_user in {None, self._gatekeeper.owner} else None

    def _read_cookie(self, text: str) -> str:
        try:
            morsel = SimpleCookie(text).get(self.cookie_name)
        except CookieError:
            return ""
        return morsel.value if morsel is not None else ""

    def read_secret(self) -> str:
        """The session's login secret.

        Raises:
            RequestError: it can't be read (503).
        """
        if not self._secret:
            try:
                self._secret = read_secret_file(self._secret_path)
            except KeyFileError as error:
                raise RequestError(503, "keys_unavailable", f"Nobody can be logged in: {error}") from error
        return self._secret

    async def show(
        self, request: Request, status: int = 200, trouble: str = "", headers: Headers | None = None
    ) -> None:
        """Sends the login page, whose script posts the link's token."""
        path = request.prefix + "/login"
        await answer_page(request, status, "login", headers, posts=True, trouble=trouble, login_path=path)

    async def take_token(self, request: Request) -> None:
        """Answers the login page's POST: a cookie and a redirect to the chat, or the page again.

        Raises:
            RequestError: the POST comes from another site (403).
        """
        check_origin(request, required=False)
        form = parse_qs((await request.read_form(_MAX_FORM_BYTES, self._form_s)).decode("utf-8", "replace"))
        token = form.get("token", [""])[0].strip()
        token = token[token.rfind("#") + 1 :].removeprefix("token=")  # people paste the whole link
        if token.startswith(OWNER + "~") or token.count("~") != 3:
            await self._take_login(request, token)
        else:
            await self._take_invitation(request, token)

    async def _take_login(self, request: Request, token: str) -> None:
        now = self._clock()
        found = check_token(self.read_secret(), "login", token, now)
        portal_user = self._gatekeeper.find_portal_user(request)
        if found is not None and portal_user not in {None, self._gatekeeper.owner}:
            found = None  # the owner's link, in a guest's hands
        if found is None or not self._used.use(found[1], found[2], now):
            visitor = self.find_caller(request)
            if found is not None and visitor is not None and visitor.name == OWNER:
                # A second click on a card that hasn't been drawn anew: this browser is in already.
                await request.redirect("/chat/")
                return
            await self._refuse(request, _ASK_AGAIN, "login token")
            return
        cookie = make_token(self.read_secret(), "cookie", OWNER, now, COOKIE_LIFE_S)
        await self._let_in(request, OWNER, cookie, COOKIE_LIFE_S)

    async def _take_invitation(self, request: Request, token: str) -> None:
        secret, portal_user = self.read_secret(), self._gatekeeper.find_portal_user(request)
        visitor = self.find_caller(request)
        found = self._invitations.accept(secret, token, portal_user, visitor)
        if not isinstance(found, Refused):
            await self._let_in(
                request, found.key.name, *self._invitations.make_cookie(secret, found, portal_user)
            )
        elif found.is_guess:
            await self._refuse(request, found.message, "invitation")
        else:
            self._audit.record("refused", peer=request.peer, why="invitation for somebody else")
            await self.show(request, 403, found.message)

    async def _refuse(self, request: Request, message: str, why: str) -> None:
        fault = self._gatekeeper.failure(request, message, why, "login_failed")
        retry = [h for h in fault.headers if h[0] == b"retry-after"]
        await self.show(request, fault.status, fault.message, retry)

    async def _let_in(self, request: Request, name: str, cookie: str, life_s: int) -> None:
        self._audit.record("login", peer=request.peer, name=name)
        parts = [f"{self.cookie_name}={cookie}", f"Path={request.prefix}/", f"Max-Age={life_s}"]
        parts += ["HttpOnly", "SameSite=Lax", *(["Secure"] if request.is_https else [])]
        await request.redirect("/chat/", [(b"set-cookie", "; ".join(parts).encode())])


def check_origin(request: Request, *, required: bool = True) -> None:
    """Refuses a request that another site's page made the browser send.

    The browser states the page's origin, which must be the host that it asked, as we or the portal in front
    of us know it.

    Args:
        request: a request that a cookie, or a token in its body, may let in.
        required: also refuse when the browser states nothing.

    Raises:
        RequestError: it comes from elsewhere (403).
    """
    origin = request.header(b"origin")
    if not origin:
        fetch_site = request.header(b"sec-fetch-site")
        if fetch_site == "same-origin" or (not required and not fetch_site):
            return
        raise _foreign("nothing")
    hosts = {request.header(b"host"), *request.header(b"x-forwarded-host").split(",")}
    if _host_of(origin) not in {_without_port(host.strip().lower()) for host in hosts if host.strip()}:
        raise _foreign(origin)


def _host_of(origin: str) -> str:
    return _without_port(urlsplit(origin.lower()).netloc)


def _without_port(host: str) -> str:
    """A host without the port that its scheme implies."""
    return host.removesuffix(":443").removesuffix(":80")


def _foreign(origin: str) -> RequestError:
    message = f"This request must come from the session's own page, but the browser states {origin[:100]!r}."
    return RequestError(403, "permission_denied", message)
