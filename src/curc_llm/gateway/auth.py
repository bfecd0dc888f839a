"""Who is asking: a key in a header, or the cookie of a login. Decided before anything else is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from curc_llm.gateway.audit import Audit
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.keyring import KeyRing
from curc_llm.gateway.request import Request
from curc_llm.gateway.throttle import FailureThrottle
from curc_llm.session.keys import KEY_PREFIX, ApiKey
from curc_llm.session.shares import is_link

WHERE_KEYS_GO = "Send your key as the header `Authorization: Bearer KEY` or `X-Api-Key: KEY`."
_KEY_SHAPE = re.compile(KEY_PREFIX + r"[A-Za-z0-9]{43}")
_KEY_PARAMETERS = {
    "key",
    "api_key",
    "api-key",
    "apikey",
    "access_token",
    "authorization",
    "x-api-key",
    "token",
}


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Args:
        name: the key's name; shown in logs.
        key: the key; of a guest who came by cookie or by the private socket, the share's. None for the owner
            who came so.
        is_private: came by the private socket.
    """

    name: str
    key: ApiKey | None = None
    is_private: bool = False

    @property
    def share(self) -> ApiKey | None:
        """The share by which a guest came in; None for the owner, and for who has a plain key."""
        return self.key if self.key is not None and self.key.share_id else None

    @property
    def models(self) -> tuple[str, ...]:
        """Models that may be used, empty for all."""
        return self.key.models if self.key else ()

    def require_scope(self, scopes: tuple[str, ...]) -> None:
        """Raises a RequestError (403) unless the key has one of the scopes."""
        if self.key is not None and not set(scopes) & set(self.key.scopes):
            needed = " or ".join(scopes)
            raise RequestError(
                403,
                "permission_denied",
                f"The key {self.name!r} lacks the scope {needed}. Ask the owner for one.",
            )


class Gatekeeper:
    """Lets in who has a valid key, and slows down who guesses.

    Args:
        keyring: the session's keys.
        throttle: counts failures by address.
        audit: where refusals are written down.
        owner: Unix user name of the session's owner.
        on_failure: told of each failed attempt.
    """

    def __init__(
        self,
        keyring: KeyRing,
        throttle: FailureThrottle,
        audit: Audit,
        owner: str,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._keyring = keyring
        self._throttle = throttle
        self._audit = audit
        self.owner = owner
        self._on_failure = on_failure

    def check_portal_user(
        self, request: Request, find_visitor: Callable[[Request], Caller | None] = lambda _: None
    ) -> None:
        """Refuses a user of the portal who is neither the owner nor a guest.

        The header is never believed to let somebody in: key or cookie must still be shown, and be theirs.

        Args:
            request: what was asked.
            find_visitor: finds out whose valid cookie was sent.

        Raises:
            RequestError: the portal says that somebody else is asking (403).
        """
        user = self.find_portal_user(request)
        if user is None or user == self.owner:
            return
        if not is_link(user) and self._keyring.find_share(user) is not None:
            return
        # Who has a link can be anybody: they may hand it in, and their cookie then names their portal user.
        if request.path == "/login" and self._keyring.has_links():
            return
        if find_visitor(request) is None:
            raise self._foreign(request)

    def find_portal_user(self, request: Request) -> str | None:
        """Who asks, as the portal says; None without a portal.

        Raises:
            RequestError: it was said twice, and differently (403).
        """
        users = {value for name, value in request.header_list if name == b"x-forwarded-user"}
        if len(users) > 1:
            raise self._foreign(request)
        return users.pop().decode("latin-1") if users else None

    def _foreign(self, request: Request) -> RequestError:
        self._audit.record("refused", peer=request.peer, why="portal user is neither owner nor guest")
        return RequestError(403, "permission_denied", "This session belongs to another user of the portal.")

    def find_caller(self, request: Request) -> Caller | None:
        """The caller whose key is in a header; None when none was sent.

        Raises:
            RequestError: the key is wrong (401), in the wrong place (401), or there were too many wrong ones
                (429).
        """
        self._refuse_key_in_url(request)
        secret = self._presented(request)
        if secret is None:
            return None
        key = self._keyring.find(secret)
        if key is None:
            raise self.failure(request, f"This API key isn't valid (any more). {WHERE_KEYS_GO}", "wrong key")
        if self.find_portal_user(request) not in {None, self.owner, key.name}:
            raise self._foreign(request)  # a guest at the portal with somebody else's key
        return Caller(key.name, key)

    def _presented(self, request: Request) -> str | None:
        secrets = set()
        for name, value in request.header_list:
            if name == b"x-api-key" and value:
                secrets.add(value.decode("latin-1").strip())
            elif name == b"authorization":
                scheme, _, secret = value.decode("latin-1").partition(" ")
                if scheme.lower() != "bearer":
                    raise self.failure(
                        request, f"Only Bearer keys are accepted. {WHERE_KEYS_GO}", "not a bearer"
                    )
                secrets.add(secret.strip())
        if len(secrets) > 1:
            raise self.failure(request, f"Two different keys were sent. {WHERE_KEYS_GO}", "two keys")
        return secrets.pop() if secrets else None

    def _refuse_key_in_url(self, request: Request) -> None:
        if not request.query:
            return
        text = request.query.decode("latin-1")
        # The chat's own addresses may use such names for something else; a thing that looks like a key is
        # refused there too.
        names = (
            {name.lower() for name, _ in parse_qsl(text)} if not request.path.startswith("/chat/") else set()
        )
        if _KEY_SHAPE.search(text) or names & _KEY_PARAMETERS:
            raise self.failure(
                request, f"Keys don't go into addresses, where logs keep them. {WHERE_KEYS_GO}", "key in URL"
            )

    def failure(
        self, request: Request, message: str, why: str, code: str = "invalid_api_key"
    ) -> RequestError:
        """Counts a failed attempt and makes the answer to it: 401, or 429 after too many."""
        self._on_failure()
        wait_s = self._throttle.count(request.peer)
        if not wait_s:
            self._audit.record("refused", peer=request.peer, why=why)
            return RequestError(401, code, message)
        if self._throttle.is_first_beyond(request.peer):
            self._audit.record("throttled", peer=request.peer, why=why)
        message = (
            f"Too many failed attempts from {request.peer}. Try again in {wait_s} s; a valid key still works."
        )
        return RequestError(429, "too_many_attempts", message, retry_after_s=wait_s)


def no_key_fault() -> RequestError:
    """The answer to a request without any key."""
    return RequestError(
        401,
        "invalid_api_key",
        f"This needs an API key. {WHERE_KEYS_GO} Keys in an address or body don't count.",
    )
