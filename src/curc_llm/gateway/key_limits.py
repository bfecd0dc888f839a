"""What each key may use: requests and tokens a minute, and requests at once."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator

from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.generation import Generation
from curc_llm.gateway.throttle import RequestRate, TokenRate


class KeyLimits:
    """Holds keys to their limits.

    Args:
        clock: seconds from a clock that never jumps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests = RequestRate(clock)
        self._tokens = TokenRate(clock)
        self._running: Counter[str] = Counter()

    def check_rate(self, caller: Caller) -> None:
        """Counts one request.

        Raises:
            RequestError: the key has made as many this minute as it may (429).
        """
        if caller.key is None:
            return
        limit = caller.key.requests_per_minute
        if wait_s := self._requests.take(caller.key.digest, limit):
            message = f"The key {caller.name!r} may make {limit} requests a minute. Try again in {wait_s} s."
            raise RequestError(429, "rate_limit_exceeded", message, retry_after_s=wait_s)

    @contextlib.contextmanager
    def hold(self, caller: Caller, generation: Generation) -> Iterator[None]:
        """Counts a request while it waits and runs, and its tokens once they are known.

        Raises:
            RequestError: as many of the key's run already as may at once, or it has used its tokens (429).
        """
        key, ticket = caller.key, generation.ticket
        if key is None or ticket is None or not ticket.work.sequences:
            yield
            return
        self._check_concurrency(caller.name, key.digest, key.concurrency)
        self._check_tokens(caller.name, key.digest, key.tokens_per_minute)
        estimated = ticket.work.prompt_tokens
        self._tokens.charge(key.digest, estimated, key.tokens_per_minute)
        self._running[key.digest] += 1
        try:
            yield
        finally:
            self._running[key.digest] -= 1
            if not self._running[key.digest]:
                del self._running[key.digest]
            used = _count_used(generation, estimated)
            self._tokens.charge(key.digest, used - estimated, key.tokens_per_minute)

    def _check_concurrency(self, name: str, digest: str, limit: int) -> None:
        running = self._running[digest]
        if limit and running >= limit:
            message = (
                f"The key {name!r} may make {limit} requests at once, and {running} are under way."
                " Try again when one of them has ended."
            )
            raise RequestError(429, "concurrency_exceeded", message, retry_after_s=1)

    def _check_tokens(self, name: str, digest: str, limit: int) -> None:
        if wait_s := self._tokens.wait_s(digest, limit):
            message = f"The key {name!r} may use {limit} tokens a minute. Try again in {wait_s} s."
            raise RequestError(429, "rate_limit_exceeded", message, retry_after_s=wait_s)


def _count_used(generation: Generation, estimated: int) -> int:
    """Tokens that a request has used: none when it was refused before an engine had begun with its answer."""
    entry = generation.entry
    if entry.first_token_s is None:
        return _count_left(generation, estimated)
    prompt = entry.usage.prompt_tokens
    return (estimated if prompt is None else prompt) + (
        entry.usage.completion_tokens or generation.num_events
    )


def _count_left(generation: Generation, estimated: int) -> int:
    """Tokens of a request that was given up before its answer came: an engine worked on it nevertheless.

    A stream that has not begun cost its prompt; of an answer that comes whole nobody knows how far it was,
    so it counts as what such a request is expected to need.
    """
    ticket = generation.ticket
    if not generation.is_given_up or ticket is None or ticket.replica is None:
        return 0
    return estimated if generation.entry.stream else max(estimated, ticket.tokens)
