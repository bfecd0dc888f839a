"""Requests that wait for a slot of an engine: interactive ones first, and keys by turns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from curc_llm.gateway.priority import Priority
from curc_llm.gateway.replica import Replica
from curc_llm.gateway.work import Work


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

        Args:
            place: gives a ticket its slot if there is one.
        """
        for keys in self._waiting.values():
            for key, tickets in keys.items():
                if place(tickets[0]):
                    ticket = tickets.popleft()
                    keys.move_to_end(key)
                    if not tickets:
                        del keys[key]
                    return ticket
        return None
