"""Guests while they are served: what runs for them ends within a second once their share does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.keyring import KeyRing
from curc_llm.session.keys import ApiKey

_LOOK_S = 1.0


def access_ended(name: str) -> RequestError:
    """The answer to a guest whose share was revoked or has run out."""
    return RequestError(
        403,
        "access_revoked",
        f"This session is no longer shared with {name!r}. Ask its owner to share it again.",
    )


@dataclass(eq=False, slots=True)
class _Running:
    share: ApiKey
    end: Callable[[], None]


class GuestWatch:
    """Ends what runs for guests whose share is over. While none is served it does nothing at all.

    Args:
        keyring: the session's keys.
        look_s: seconds between two looks at the key file.
    """

    def __init__(self, keyring: KeyRing, look_s: float = _LOOK_S) -> None:
        self._keyring = keyring
        self._look_s = look_s
        self._running: set[_Running] = set()
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def hold(self, caller: Caller, end: Callable[[], None]) -> Iterator[None]:
        """Watches over one exchange of a caller's, if they are a guest.

        Args:
            caller: for whom it runs.
            end: ends it.
        """
        if caller.share is None:
            yield
            return
        running = _Running(caller.share, end)
        self._running.add(running)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._look_s, self._look)
        try:
            yield
        finally:
            self._running.discard(running)

    def _look(self) -> None:
        for running in list(self._running):
            if not self._keyring.holds(running.share):
                running.end()
        again = bool(self._running)
        self._timer = asyncio.get_running_loop().call_later(self._look_s, self._look) if again else None
