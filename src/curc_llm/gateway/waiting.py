"""Requests that wait for a slot of an engine: interactive ones first, and keys by turns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from curc_llm.gateway.priority import Priority
from curc_llm.gateway.replica import Replica
from curc_llm.gateway.work import Work

# So many may go before one that needs several slots at once; then slots are kept until it has them.
MOST_PASSES = 32
# Free slots are kept for it so many times; with a stream of others that go first it may never get enough.
MOST_HOLDS = 256


@dataclass(eq=False)
class Ticket:
    """One request's way through the queue to a replica.

    Args:
        model: the model's name, or an adapter's.
        base: the model's name, in both cases.
        key: who asks, for fairness between keys.
        hops: gateways that it has come through.
        replica: where it has a slot.
        tried: ids of the replicas that failed it.
        granted: resolved when it has its slot, or fails when it can't get one; None unless it waits.
        tokens, slots: what it counts for in its replica's load.
        patience_s: seconds of waiting after which `on_long` is awaited; None for never.
        passes: how many took slots before it while it stood first and there weren't enough for it.
        holds: how often slots were kept for it in vain.
    """

    model: str
    base: str
    key: str
    priority: Priority = Priority.INTERACTIVE
    work: Work = field(default_factory=Work)
    hops: int = 0
    replica: Replica | None = None
    tried: set[str] = field(default_factory=set)
    granted: asyncio.Future[None] | None = None
    tokens: int = 0
    slots: int = 0
    patience_s: float | None = None
    on_long: Callable[[], Awaitable[None]] | None = None
    passes: int = 0
    holds: int = 0

    @property
    def holds_others_up(self) -> bool:
        """Whether nobody may go before it any more: one slot comes to who is first, several at once don't."""
        return self.work.sequences > 1 and self.passes >= MOST_PASSES

    def hold(self) -> None:
        """Notes that slots were kept for it in vain; after MOST_HOLDS of that some may go before it again."""
        self.holds += 1
        if self.holds >= MOST_HOLDS:
            self.holds = self.passes = 0


class Line:
    """Those who wait for one model.

    Example:
        >>> line = Line()
        >>> for key in ("a", "a", "a", "b"):
        ...     line.push(Ticket("m", "m", key))
        >>> [line.take(lambda ticket: True).key for _ in range(4)]
        ['a', 'b', 'a', 'a']
    """

    def __init__(self) -> None:
        self._waiting: dict[Priority, OrderedDict[str, deque[Ticket]]] = {p: OrderedDict() for p in Priority}

    def __iter__(self) -> Iterator[Ticket]:
        for keys in self._waiting.values():
            for tickets in keys.values():
                yield from tickets

    def __bool__(self) -> bool:
        return any(self._waiting.values())

    def push(self, ticket: Ticket) -> None:
        """Puts a ticket behind those of its key; a key that is new goes behind the others."""
        self._waiting[ticket.priority].setdefault(ticket.key, deque()).append(ticket)

    def discard(self, ticket: Ticket) -> None:
        """Takes one out that waits no longer."""
        keys = self._waiting[ticket.priority]
        if ticket.key in keys and ticket in keys[ticket.key]:
            keys[ticket.key].remove(ticket)
            if not keys[ticket.key]:
                del keys[ticket.key]

    def take(self, place: Callable[[Ticket], bool]) -> Ticket | None:
        """Takes out the first that can be placed; its key then goes behind the others.

        Small requests pass a large one for which there are too few free slots, but not for ever: after
        MOST_PASSES of them nothing behind it is placed until it is.

        Args:
            place: gives a ticket its slot if there is one.
        """
        passed: list[Ticket] = []
        for keys in self._waiting.values():
            for key, tickets in keys.items():
                if place(tickets[0]):
                    for ticket in passed:
                        ticket.passes += 1
                    return self._take_first(keys, key)
                if tickets[0].holds_others_up:
                    tickets[0].hold()
                    return None
                passed.append(tickets[0])
        return None

    @staticmethod
    def _take_first(keys: OrderedDict[str, deque[Ticket]], key: str) -> Ticket:
        ticket = keys[key].popleft()
        keys.move_to_end(key)
        if not keys[key]:
            del keys[key]
        return ticket
