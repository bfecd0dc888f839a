"""Which replica a request goes to: the one with the least to do, unless another knows how it begins."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from curc_llm.gateway.work import CHARACTERS_PER_TOKEN, Marks

# A token of the prompt that a replica must compute anew counts like so many tokens that it still has to do:
# a chat stays where its beginning lies in the prefix cache until that replica is this much busier.
AFFINITY = 4
# Each takes about 200 bytes: 16,384 are 3 MiB, some hundred long chats or some thousand short ones.
MAX_MARKS = 16_384
RETRY_MAX_S = 30.0
# While one request tries whether an unhealthy replica answers again, the others wait so long.
PROBE_S = 5.0

_epochs = itertools.count(1)


@dataclass(eq=False)
class Load:
    """What a replica has to do, and how it has been doing. Times are seconds of a clock that never jumps.

    Args:
        tokens: estimated tokens of what it works on: of prompts those that it doesn't know, and of answers as
            many as such answers have lately had.
        sequences, batch_sequences: of its slots those taken; those taken by batch requests.
        failures: how often in a row it has failed before it answered.
        retry_at: until then it is left alone.
        epoch: changes when it starts anew, since its prefix cache is empty then.
        last_chosen: order in which replicas got their latest request.
    """

    tokens: int = 0
    sequences: int = 0
    batch_sequences: int = 0
    failures: int = 0
    retry_at: float = 0.0
    epoch: int = field(default_factory=lambda: next(_epochs))
    last_chosen: int = 0

    def fail(self, now: float, wait_s: float | None = None) -> None:
        """It couldn't answer: it is left alone for a second, then for two, four … up to 30.

        Args:
            now: the clock's seconds.
            wait_s: what it asked for itself, if it did.
        """
        self.failures += 1
        own_s = wait_s if wait_s is not None else 2.0 ** min(self.failures - 1, 10)
        self.retry_at = now + min(own_s, RETRY_MAX_S)

    def succeed(self) -> None:
        """It has answered."""
        if self.failures:
            self.failures, self.retry_at = 0, 0.0

    def is_healthy(self, now: float) -> bool:
        """Whether it may be asked."""
        return not self.failures or now >= self.retry_at

    def renew(self) -> None:
        """It has started anew."""
        self.succeed()
        self.epoch = next(_epochs)


class Prefixes:
    """Which replicas have lately seen which beginnings.

    Args:
        most: beginnings that are kept; those not seen for longest go first.
    """

    def __init__(self, most: int = MAX_MARKS) -> None:
        self._most = most
        self._holders: OrderedDict[int, tuple[int, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._holders)

    def match(self, marks: Marks, epochs: Collection[int]) -> dict[int, int]:
        """For each replica that knows a beginning of the request, how many characters of it."""
        found: dict[int, int] = {}
        for mark, characters in reversed(marks):
            for epoch in self._holders.get(mark, ()):
                if epoch in epochs:
                    found.setdefault(epoch, characters)
            if len(found) == len(epochs):
                break
        return found

    def note(self, marks: Marks, epoch: int) -> None:
        """A replica has got a request with these beginnings."""
        for mark, _ in marks:
            known = self._holders.get(mark, ())
            if epoch not in known:
                self._holders[mark] = (*known[-7:], epoch)
            self._holders.move_to_end(mark)
        while len(self._holders) > self._most:
            self._holders.popitem(last=False)


Replica = TypeVar("Replica")


def choose(
    replicas: Iterable[tuple[Replica, Load]], matched: Mapping[int, int], prompt_tokens: int
) -> Replica:
    """The replica with the least outstanding tokens; those of the prompt that it must compute count more.

    Args:
        replicas: at least one.
        matched: characters of the request's beginning that a replica knows, by its load's epoch.
        prompt_tokens: of the request, estimated.

    Example:
        >>> busy, idle = Load(tokens=900), Load(tokens=0)
        >>> choose([("busy", busy), ("idle", idle)], {}, 500)
        'idle'
        >>> choose([("busy", busy), ("idle", idle)], {busy.epoch: 1600}, 500)  # 400 of its 500 tokens
        'busy'
    """

    def cost(item: tuple[Replica, Load]) -> tuple[int, int]:
        load = item[1]
        known = matched.get(load.epoch, 0) // CHARACTERS_PER_TOKEN
        return load.tokens + AFFINITY * max(0, prompt_tokens - known), load.last_chosen

    return min(replicas, key=cost)[0]
