"""Guests' invitations: who may take one, how often, and which cookie they get for it.

One that is bound to a user of the portal may be used again by that user as long as the share lasts: it is
opened later than ten minutes, in several browsers. On a direct connection nobody says who asks, so there it
works once, as one does that is bound to nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from curc_llm.gateway.auth import Caller
from curc_llm.gateway.keyring import KeyRing
from curc_llm.session.login import COOKIE_LIFE_S, check_token, make_token
from curc_llm.session.shares import LONG_LIFE_S, Invitation, is_link, name_cookie_purpose, read_invitation

NOT_VALID = (
    "This invitation isn't valid (any more): it was taken back, it has run out, or the session has been"
    " started again since. Ask for a new one."
)
USED = "This invitation has been used: it lets one browser in, once. Ask for a new one."
OWNER_HERE = (
    "This invitation is for a guest, and you are the session's owner: it is still unused. To see what a guest"
    " sees, open it in a private window."
)


@dataclass(frozen=True)
class Refused:
    """An invitation that doesn't let in.

    Args:
        message: why, for the person.
        is_guess: it may be somebody's guess, and counts as a failed attempt.
    """

    message: str
    is_guess: bool = True


class Invitations:
    """Judges invitations and guests' cookies.

    Args:
        keyring: the session's keys, shares among them.
        owner: Unix user name of the session's owner.
        use: marks a nonce as used (nonce, expiry, now); False when it was before.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        keyring: KeyRing,
        owner: str,
        use: Callable[[str, int, float], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keyring = keyring
        self._owner = owner
        self._use = use
        self._clock = clock

    def find_guest(self, secret: str, cookie: str, portal_user: str | None) -> Caller | None:
        """The guest whose cookie this is.

        Args:
            secret: the session's login secret.
            cookie: its value.
            portal_user: who asks, as the portal says; None without a portal.
        """
        share = self._keyring.find_share(cookie.partition("~")[0])
        if share is None:
            return None
        found = check_token(secret, name_cookie_purpose(share, portal_user), cookie, self._clock())
        return Caller(share.name, share) if found is not None else None

    def accept(
        self, secret: str, token: str, portal_user: str | None, visitor: Caller | None
    ) -> Invitation | Refused:
        """Takes an invitation, or says why not.

        Args:
            secret: the session's login secret.
            token: what was handed in.
            portal_user: who asks, as the portal says; None without a portal.
            visitor: whose cookie the browser has already.
        """
        share = self._keyring.find_share(token.partition("~")[0])
        found = read_invitation(secret, share, token, self._clock())
        if found is None:
            return Refused(NOT_VALID)
        name = found.key.name
        if portal_user == self._owner or (visitor is not None and visitor.share is None):
            return Refused(OWNER_HERE, is_guess=False)
        if not is_link(name) and portal_user not in {None, name}:
            message = f"This invitation is for {name!r}, and the portal says that you are {portal_user!r}."
            return Refused(message, is_guess=False)
        is_bound = portal_user == name and not is_link(name)
        is_in = visitor is not None and visitor.name == name  # a second click in the same browser
        if is_bound or is_in or self._use(found.nonce, found.expires_at, self._clock()):
            return found
        return Refused(USED)

    def make_cookie(self, secret: str, found: Invitation, portal_user: str | None) -> tuple[str, int]:
        """A guest's cookie, and its life in seconds.

        Who is bound to no user can't come in again, so theirs lasts as long as the share.
        """
        now = self._clock()
        can_return = portal_user is not None and not is_link(found.key.name)
        life_s = float(COOKIE_LIFE_S if can_return else LONG_LIFE_S)
        if found.key.expires_at is not None:
            life_s = min(life_s, found.key.expires_at - now)
        purpose = name_cookie_purpose(found.key, portal_user)
        return make_token(secret, purpose, found.key.name, now, life_s), int(life_s)
