"""Lets requests through to replicas: as many as an engine works on at once; the others wait here, in order.

vLLM takes no slot away from who has one, whatever its priorities say. So batch requests get only part of the
slots, and who comes in a hurry finds one free.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from curc_llm.gateway.body_room import BodyRoom
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.live import LiveSession
from curc_llm.gateway.priority import Priority
from curc_llm.gateway.replica import Replica
from curc_llm.gateway.routing import PROBE_S, Prefixes, choose
from curc_llm.gateway.waiting import Line, Ticket
from curc_llm.gateway.work import CHARACTERS_PER_TOKEN

# What an answer is taken to become before any was seen, and how fast later ones count.
_FIRST_ANSWER_TOKENS = 256
_ANSWER_SHARE = 1 / 16
# How many of the latest starts tell how fast the queue moves.
_STARTS = 64
_MAX_WAIT_S = 120


class Admission:
    """All slots of all replicas, and who waits for one.

    Args:
        live: knows the replicas.
        most_waiting: requests of each class that may wait.
        room: for the bodies of those who wait.
        clock: seconds of a clock that never jumps.
    """

    def __init__(
        self,
        live: LiveSession,
        most_waiting: int,
        room: BodyRoom,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = live
        self._most_waiting = most_waiting
        self._room = room
        self._clock = clock
        self._lines: dict[str, Line] = {}
        self._prefixes = Prefixes()
        self._turns = itertools.count(1)
        self._answer_tokens: float = _FIRST_ANSWER_TOKENS
        self._starts: deque[float] = deque(maxlen=_STARTS)
        self.waiting: Counter[Priority] = Counter()

    async def enter(self, ticket: Ticket) -> None:
        """Gives a ticket its replica, waiting for a slot if need be; cancelling `ticket.granted` ends that.

        Raises:
            RequestError: too many wait already (429), or no replica is left that could answer (503).
            CancelledError: the wait was ended.
        """
        line = self._lines.setdefault(ticket.base, Line())
        is_aside = not ticket.work.sequences  # it takes no slot
        if (is_aside or not line) and self._place(ticket, anywhere=is_aside):
            return
        self._check_room(ticket)
        ticket.granted = asyncio.get_running_loop().create_future()
        line.push(ticket)
        self.waiting[ticket.priority] += 1
        try:
            with self._room.hold(ticket.work.body_bytes):
                self._grant(line)
                await self._wait(ticket, ticket.granted)
        finally:
            line.discard(ticket)
            self.waiting[ticket.priority] -= 1
            ticket.granted = None

    @staticmethod
    async def _wait(ticket: Ticket, granted: asyncio.Future[None]) -> None:
        if ticket.on_long is not None:
            await asyncio.wait([granted], timeout=ticket.patience_s)
            if not granted.done():
                await ticket.on_long()
        await granted

    def _check_room(self, ticket: Ticket) -> None:
        waiting = self.waiting[ticket.priority]
        is_full = not self._room.has_room(ticket.work.body_bytes)
        if waiting < self._most_waiting and not is_full:
            return
        wait_s = self._estimate_wait_s(waiting)
        most = (
            "with as much text as this session keeps" if is_full else "as many as this session keeps waiting"
        )
        message = (
            f"{waiting} {ticket.priority} requests wait already, {most}."
            f" Try again in {wait_s} s, or ask for less at once."
        )
        raise RequestError(429, "queue_full", message, retry_after_s=wait_s)

    def _estimate_wait_s(self, waiting: int) -> int:
        """Seconds until the queue has moved on by a tenth, at the speed of its latest starts."""
        if len(self._starts) < 2 or (took_s := self._starts[-1] - self._starts[0]) <= 0:
            return 5
        return max(1, min(_MAX_WAIT_S, math.ceil(waiting / 10 * took_s / (len(self._starts) - 1))))

    def _place(self, ticket: Ticket, *, anywhere: bool = False) -> bool:
        """Puts a ticket on the best replica with room; False when there is none.

        Args:
            ticket: whose replica is set.
            anywhere: whether slots don't matter: it has waited, and its replica has failed it.
        """
        able = [r for r in self._live.ready_replicas(ticket.model, ticket.hops) if r.id not in ticket.tried]
        now = self._clock()
        healthy = [r for r in able if r.load.is_healthy(now)] or able
        work = ticket.work
        free = [r for r in healthy if anywhere or r.has_room(ticket.priority, work.sequences)]
        if not free:
            return False
        best, matched = free[0], self._prefixes.match(work.marks, {r.load.epoch for r in free})
        if len(free) > 1:
            best = choose([(r, r.load) for r in free], matched, work.prompt_tokens)
        if best.load.failures:
            best.load.retry_at = now + PROBE_S
        known = matched.get(best.load.epoch, 0) // CHARACTERS_PER_TOKEN
        self._take(ticket, best, now, max(0, work.prompt_tokens - known))
        return True

    def _take(self, ticket: Ticket, replica: Replica, now: float, prompt_tokens: int) -> None:
        work, load = ticket.work, replica.load
        expected = min(work.answer_tokens or self._answer_tokens, self._answer_tokens * 2)
        ticket.replica, ticket.tokens = replica, prompt_tokens + int(expected) * work.sequences
        ticket.slots = replica.count_slots(ticket.priority, work.sequences)
        load.tokens += ticket.tokens
        load.sequences += ticket.slots
        load.batch_sequences += ticket.slots if ticket.priority is Priority.BATCH else 0
        load.last_chosen = next(self._turns)
        self._starts.append(now)
        if work.marks:
            self._prefixes.note(work.marks, load.epoch)

    def leave(self, ticket: Ticket, answer_tokens: int | None = None) -> None:
        """Gives a slot back, and to the next who waits for it; a ticket without one is left as it is.

        Args:
            ticket: whose request has ended.
            answer_tokens: what was answered, where the engine has told.
        """
        if answer_tokens is not None:
            self._answer_tokens += (answer_tokens - self._answer_tokens) * _ANSWER_SHARE
        self._release(ticket)
        self._grant(self._lines.get(ticket.base))

    @staticmethod
    def _release(ticket: Ticket) -> None:
        replica, ticket.replica = ticket.replica, None
        if replica is not None:
            load = replica.load
            load.tokens -= ticket.tokens
            load.sequences -= ticket.slots
            load.batch_sequences -= ticket.slots if ticket.priority is Priority.BATCH else 0

    def move(self, ticket: Ticket) -> bool:
        """Takes a request whose replica has failed it to another one at once; False when there is none.

        It doesn't wait again: it goes to the best replica, whether a slot is free or not.
        """
        if ticket.replica is not None:
            ticket.tried.add(ticket.replica.id)
        self._release(ticket)
        is_placed = self._place(ticket, anywhere=True)
        self._grant(self._lines.get(ticket.base))
        return is_placed

    def now(self) -> float:
        """The clock's seconds."""
        return self._clock()

    def can_move(self, ticket: Ticket) -> bool:
        """Whether there is another replica, should the present one fail it."""
        now, tried = self._clock(), {*ticket.tried, ticket.replica.id if ticket.replica else ""}
        return any(
            r.id not in tried and r.load.is_healthy(now)
            for r in self._live.ready_replicas(ticket.model, ticket.hops)
        )

    def _grant(self, line: Line | None) -> None:
        while line and (ticket := line.take(self._place)) is not None:
            if ticket.granted is not None and not ticket.granted.done():
                ticket.granted.set_result(None)
            else:
                self._release(ticket)  # it was given up in this very moment

    def render_waiting(self) -> dict[str, int]:
        """How many requests wait, by class."""
        return {priority.value: self.waiting[priority] for priority in Priority}

    def list_replicas(self) -> list[dict[str, Any]]:
        """How each replica is doing."""
        now = self._clock()
        return [
            {
                "id": replica.id,
                "model": replica.name,
                "phase": replica.target.phase,
                "is_healthy": replica.is_ready and replica.load.is_healthy(now),
                "running": replica.load.sequences,
                "batch": replica.load.batch_sequences,
                "slots": replica.slots,
                "tokens": replica.load.tokens,
                "failures": replica.load.failures,
            }
            for replica in self._live.replicas.values()
        ]

    def refresh(self) -> None:
        """The replicas have changed: some who waited can begin, and some can't be answered any more."""
        for line in self._lines.values():
            for ticket in list(line):
                fault = self._live.find_fault(ticket.model, ticket.hops)
                if fault is not None and ticket.granted is not None and not ticket.granted.done():
                    ticket.granted.set_exception(fault)
            self._grant(line)
