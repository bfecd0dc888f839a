"""Slowing down those who guess, and those who ask too often."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_MINUTE_S = 60.0
# More addresses than a cluster has nodes; beyond it those that haven't failed for longest are forgotten.
_MAX_PEERS = 10_000


@dataclass
class _Window:
    started: float
    count: int


class FailureThrottle:
    """Counts failed attempts by address, in windows of a minute.

    Args:
        per_minute: how many are let through as ordinary refusals.
        clock: seconds from a clock that never jumps.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def count(self, peer: str) -> int:
        """Counts one failure; 0 while its address is within the limit, else the seconds until that ends."""
        now = self._clock()
        window = self._windows.get(peer)
        if window is None or now - window.started >= _MINUTE_S:
            self._windows.pop(peer, None)  # so that it comes last in order
            self._make_room(now)
            window = self._windows[peer] = _Window(now, 0)
        window.count += 1
        return 0 if window.count <= self._per_minute else max(1, int(window.started + _MINUTE_S - now))

    def is_first_beyond(self, peer: str) -> bool:
        """True just when an address has crossed its limit: the moment to write it down."""
        return self._windows[peer].count == self._per_minute + 1

    def _make_room(self, now: float) -> None:
        while self._windows and (len(self._windows) >= _MAX_PEERS or self._oldest_is_over(now)):
            del self._windows[next(iter(self._windows))]

    def _oldest_is_over(self, now: float) -> bool:
        return now - next(iter(self._windows.values())).started >= _MINUTE_S


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class RequestRate:
    """Requests per minute of each key: a full minute's worth at once, refilled evenly.

    Args:
        clock: seconds from a clock that never jumps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key_id: str, per_minute: int) -> int:
        """Takes one request from a key's bucket; 0 when there was one, else the seconds until there is.

        Args:
            key_id: what tells keys apart, such as the digest.
            per_minute: the key's limit; 0 for none.
        """
        if not per_minute:
            return 0
        now = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(per_minute, now))
        refilled = bucket.tokens + (now - bucket.filled_at) * per_minute / _MINUTE_S
        bucket.tokens, bucket.filled_at = min(float(per_minute), refilled), now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0
        return max(1, round((1 - bucket.tokens) * _MINUTE_S / per_minute))


class TokenRate:
    """Tokens per minute of each key: a full minute's worth at once, refilled evenly.

    What a request takes is known only when it has ended, so a key may get into debt; then it waits longer.

    Args:
        clock: seconds from a clock that never jumps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def _refill(self, key_id: str, per_minute: int) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(per_minute, now))
        refilled = bucket.tokens + (now - bucket.filled_at) * per_minute / _MINUTE_S
        bucket.tokens, bucket.filled_at = min(float(per_minute), refilled), now
        return bucket

    def wait_s(self, key_id: str, per_minute: int) -> int:
        """Seconds until a key has a token left; 0 when it has.

        Args:
            key_id: what tells keys apart, such as the digest.
            per_minute: the key's limit; 0 for none.
        """
        if not per_minute or (bucket := self._refill(key_id, per_minute)).tokens >= 1:
            return 0
        return max(1, math.ceil((1 - bucket.tokens) * _MINUTE_S / per_minute))

    def charge(self, key_id: str, tokens: int, per_minute: int) -> None:
        """Takes tokens that were used, or gives back those that weren't (below 0)."""
        if per_minute:
            self._refill(key_id, per_minute).tokens -= tokens
