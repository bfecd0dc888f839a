"""The session's key file, followed while it changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from curc_llm.errors import KeyFileError
from curc_llm.gateway.errors import RequestError
from curc_llm.session.keys import ApiKey, KeyList, read_keys
from curc_llm.session.shares import is_link

# An NFS client may answer stat from its cache; opening a file makes it ask the server (close-to-open,
# nfs(5)).
_REOPEN_S = 1.0


class KeyRing:
    """The keys that are accepted now: a key that is added or revoked counts from the next request on.

    Args:
        path: the key file.
        on_reload: told how many keys there are, whenever the file was read again.
        clock: Unix time in seconds.
        stat: tells a file's times without opening it.
    """

    def __init__(
        self,
        path: Path,
        on_reload: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        stat: Callable[[Path], os.stat_result] = os.stat,
    ) -> None:
        self._path = path
        self._on_reload = on_reload
        self._clock = clock
        self._stat = stat
        self._seen: tuple[int, int, int] | None = None
        self._keys = KeyList()
        self._opened_at = float("-inf")

    def find(self, secret: str) -> ApiKey | None:
        """The valid key that this secret is, or None.

        Raises:
            RequestError: the key file can't be read (503); nobody is let in then.
        """
        self._follow()
        key = self._keys.find(secret)
        return key if key is not None and key.is_valid(self._clock()) else None

    def find_share(self, name: str) -> ApiKey | None:
        """The valid share of that name; None when there is none, or the name is a plain key's.

        Raises:
            RequestError: the key file can't be read (503).
        """
        self._follow()
        key = self._keys.named(name)
        return key if key is not None and key.share_id and key.is_valid(self._clock()) else None

    def has_links(self) -> bool:
        """Whether there is a valid share that is bound to no user.

        Raises:
            RequestError: the key file can't be read (503).
        """
        self._follow()
        now = self._clock()
        return any(k.share_id and is_link(k.name) and k.is_valid(now) for k in self._keys.keys)

    def holds(self, share: ApiKey) -> bool:
        """Whether this very share, not only one of its name, is valid; False too when nobody can tell."""
        try:
            now = self.find_share(share.name)
        except RequestError:
            return False
        return now is not None and now.share_id == share.share_id

    def _follow(self) -> None:
        try:
            found = self._look()
            if found != self._seen:
                self._keys = read_keys(self._path)
                self._seen = found
                self._on_reload(len(self._keys.keys))
        except (OSError, KeyFileError) as error:
            self._seen = None
            raise RequestError(
                503,
                "keys_unavailable",
                f"The session's key file can't be read, so nobody can be let in: {error}",
            ) from error

    def _look(self) -> tuple[int, int, int]:
        now = time.monotonic()
        if now - self._opened_at < _REOPEN_S:
            status = self._stat(self._path)
        else:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
            self._opened_at = now
        return status.st_mtime_ns, status.st_ino, status.st_size
