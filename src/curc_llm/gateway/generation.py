"""One request that an engine works on, and the timer that looks after all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from curc_llm.gateway.accesslog import Entry
from curc_llm.gateway.errors import RequestError, engine_failed
from curc_llm.gateway.events import EventFilter, find_death
from curc_llm.gateway.request import Request
from curc_llm.gateway.upstream import Connection
from curc_llm.gateway.waiting import Ticket

_SEPARATOR = b"\n\n"
_HEARTBEAT = b": keep-alive\n\n"


@dataclass(slots=True, eq=False)
class Generation:
    """A request under way.

    Args:
        request, entry: the client's side, and what goes into the log.
        connection: the engine's side, once there is one.
        is_fresh: the engine has sent something since the caretaker last looked.
        silent_since: when the caretaker first found nothing new, on the loop's clock.
        events: reads the answer's events; None unless it is a stream of events.
        num_events: how many events passed, about the number of tokens.
        last_bytes: the end of what the engine has sent, to tell whether it was all.
        client_gone: the client closed its connection.
        ended_by: why the gateway itself ends it.
        ticket: its place in the queue, or at a replica.
    """

    request: Request
    entry: Entry
    connection: Connection | None = None
    is_fresh: bool = True
    silent_since: float = 0.0
    events: EventFilter | None = None
    num_events: int = 0
    last_bytes: bytes = b""
    client_gone: bool = False
    ended_by: RequestError | None = None
    ticket: Ticket | None = None

    def attach(self, connection: Connection) -> None:
        """Takes the engine's side; gives it up at once when the client has gone meanwhile."""
        self.connection = connection
        if self.is_given_up:
            connection.abort()

    @property
    def is_given_up(self) -> bool:
        """Whether the client has gone, or the gateway itself has ended it."""
        return self.client_gone or self.ended_by is not None

    def leave(self) -> None:
        """The client has gone: closing the engine's side makes vLLM stop the generation."""
        self.client_gone = True
        self._let_go()

    def _let_go(self) -> None:
        if self.connection is not None:
            self.connection.abort()
        if self.ticket is not None and self.ticket.granted is not None:
            self.ticket.granted.cancel()

    def end(self, fault: RequestError) -> None:
        """Ends it from our side; the client is told why."""
        self.ended_by = fault
        self._let_go()

    def take(self, data: bytes) -> None:
        """Bytes of a stream have come: they are sent on in this very moment. Every token passes here."""
        self.is_fresh = True
        self.num_events += data.count(_SEPARATOR)
        entry = self.entry
        if entry.first_token_s is None:
            entry.note_first_byte()
        if entry.answered is not None:
            entry.keep_answer(data)
        self.last_bytes = (self.last_bytes + data[-24:])[-24:]
        if self.events is not None:
            data = self.events.filter(data)
            if (death := find_death(data)) >= 0:
                self.end(engine_failed(entry.model, "died while it answered"))
                data = data[:death]
        if data and not self.request.write_event(data) and self.connection is not None:
            self.connection.pause()

    def beat(self) -> None:
        """Sends a comment on a silent stream, so that no proxy closes it."""
        if self.events is not None and self.events.at_boundary:
            self.request.write_event(_HEARTBEAT)


class Caretaker:
    """Looks after all generations with one timer, so that no token pays for a timer of its own.

    Args:
        heartbeat_s: seconds of silence after which a stream gets a comment.
    """

    def __init__(self, heartbeat_s: float) -> None:
        self.active: set[Generation] = set()
        self.on_tick: Callable[[], None] = lambda: None
        self._heartbeat_s = heartbeat_s
        self._loop = asyncio.get_running_loop()
        self._period_s = min(1.0, heartbeat_s / 4)
        self._timer: asyncio.TimerHandle | None = None

    def add(self, generation: Generation) -> None:
        """Begins to look after one."""
        self.active.add(generation)
        if self._timer is None:
            self._timer = self._loop.call_later(self._period_s, self._tick)

    def remove(self, generation: Generation) -> None:
        """It has ended."""
        self.active.discard(generation)

    def end_all(self, fault: RequestError) -> None:
        """Ends all; each client is told why."""
        for generation in list(self.active):
            generation.end(fault)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._period_s, self._tick) if self.active else None
        now = self._loop.time()
        self.on_tick()
        for generation in self.active:
            self._look(generation, now)

    def _look(self, generation: Generation, now: float) -> None:
        if generation.is_fresh:
            generation.is_fresh, generation.silent_since = False, now
        if now - generation.silent_since >= self._heartbeat_s:
            generation.silent_since = now
            generation.beat()
