"""From a client to an engine and back: who may, in which order, and what is written down of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curc_llm.gateway.accesslog import Entry
from curc_llm.gateway.activity import ActivityReporter
from curc_llm.gateway.admission import Admission
from curc_llm.gateway.auth import Caller
from curc_llm.gateway.body_room import BodyRoom
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.exchange import Exchange, break_off
from curc_llm.gateway.generation import Caretaker, Generation
from curc_llm.gateway.guests import GuestWatch, access_ended
from curc_llm.gateway.key_limits import KeyLimits
from curc_llm.gateway.live import MAX_HOPS, LiveSession
from curc_llm.gateway.model_choice import Wanted, parse_wanted, set_priority
from curc_llm.gateway.priority import choose_priority, choose_value
from curc_llm.gateway.remote import HOPS_HEADER
from curc_llm.gateway.request import Request
from curc_llm.gateway.routes import Route
from curc_llm.gateway.swaps import SwapWait
from curc_llm.gateway.waiting import Ticket
from curc_llm.gateway.work import Work, measure_work

CLIENT_GONE = 499  # nginx's status for a client that left
PRIORITY_HEADER = b"x-curc-llm-priority"


@dataclass(frozen=True)
class RelayParts:
    """What a relay needs of the gateway.

    Args:
        admission: which replica a request goes to, and when.
        room: for the bodies of requests that wait.
        limits: what each key may use.
        watch: ends what runs for guests whose share is over.
        max_body_bytes: largest request.
        log_prompts: also log what was asked and answered.
        heartbeat_s: seconds of silence after which a stream gets a comment.
        on_done: told each request's log entry once it has ended.
    """

    live: LiveSession
    activity: ActivityReporter
    caretaker: Caretaker
    admission: Admission
    room: BodyRoom
    limits: KeyLimits
    watch: GuestWatch
    max_body_bytes: int
    log_prompts: bool
    heartbeat_s: float
    on_done: Callable[[Entry], None]


class EngineRelay:
    """Relays requests to engines."""

    def __init__(self, parts: RelayParts) -> None:
        self._parts = parts
        self._swaps = SwapWait(parts.room)

    async def relay(self, request: Request, route: Route, caller: Caller) -> None:
        """Answers one request with an engine's answer.

        Raises:
            RequestError: it can't be answered, and nothing was sent yet.
            ClientGoneError: the client left before its request was complete.
        """
        parts = self._parts
        caller.require_scope(route.scopes)
        self._check_may_begin(route, caller)
        body = await request.read_body(parts.max_body_bytes)
        wanted = parse_wanted(route, body, request.header(b"content-type"))
        await self._swaps.wait(parts.live, wanted.model, request, len(wanted.body))
        ticket = self._make_ticket(request, route, caller, wanted)
        if route.takes_priority:
            wanted = set_priority(wanted, choose_value(ticket.priority, wanted.own_priority))
        generation = Generation(request, self._make_entry(request, route, caller, wanted, ticket))
        generation.ticket = ticket
        with self._attend(generation, route, caller):
            exchange = Exchange(parts.admission, generation, route, wanted, parts.heartbeat_s)
            if wanted.stream:
                ticket.patience_s, ticket.on_long = parts.heartbeat_s, exchange.begin_early
            try:
                await self._wait_for_turn(generation, ticket)
                if not generation.client_gone:
                    await exchange.run()
            except RequestError as fault:
                if not request.started:
                    raise
                await break_off(generation, route, fault)  # it has waited so long that its answer has begun

    def _check_may_begin(self, route: Route, caller: Caller) -> None:
        state = self._parts.live.state
        if route.is_generation and not state.accepting:
            message = state.drain_message or "The session is ending."
            raise RequestError(503, "session_ending", f"{message} No new request is begun.")
        if route.is_generation:
            self._parts.limits.check_rate(caller)

    def _make_ticket(self, request: Request, route: Route, caller: Caller, wanted: Wanted) -> Ticket:
        live = self._parts.live
        hops = _count_hops(request)
        model = live.find_model(wanted.model, caller.models, hops)
        work = Work(sequences=0)
        if route.is_generation:
            several = len(live.models[model]) > 1
            work = measure_work(wanted.document, len(wanted.body), with_marks=several)
        priority = choose_priority(caller.key, request.header(PRIORITY_HEADER), wanted.own_priority)
        return Ticket(model, live.base_name(model), caller.name, priority, work, hops)

    def _make_entry(
        self, request: Request, route: Route, caller: Caller, wanted: Wanted, ticket: Ticket
    ) -> Entry:
        name = "chat" if caller.is_private else route.path
        entry = Entry(request.id, name, caller.name, model=ticket.model, stream=wanted.stream)
        entry.priority = ticket.priority.value
        if self._parts.log_prompts:
            entry.asked, entry.answered = wanted.document, []
        return entry

    async def _wait_for_turn(self, generation: Generation, ticket: Ticket) -> None:
        began = time.perf_counter()
        try:
            await self._parts.admission.enter(ticket)
        except asyncio.CancelledError:
            if not generation.is_given_up:
                raise
            if generation.ended_by is not None:
                raise generation.ended_by from None
        finally:
            generation.entry.queued_s = time.perf_counter() - began

    @contextlib.contextmanager
    def _attend(self, generation: Generation, route: Route, caller: Caller) -> Iterator[None]:
        """Counts a request while it is here, ends it when it must end, and writes it down."""
        parts, entry, request = self._parts, generation.entry, generation.request
        if route.is_generation:
            parts.activity.begin()
        parts.caretaker.add(generation)
        request.connection.on_lost = generation.leave
        try:
            with (
                parts.watch.hold(caller, lambda: generation.end(access_ended(caller.name))),
                parts.limits.hold(caller, generation),
            ):
                yield
        except RequestError as fault:
            entry.status = fault.status
            raise
        finally:
            request.connection.on_lost = None
            parts.caretaker.remove(generation)
            if generation.ticket is not None:
                parts.admission.leave(generation.ticket, entry.usage.completion_tokens)
            if route.is_generation:
                parts.activity.end()
            entry.status = CLIENT_GONE if generation.client_gone else entry.status or request.status
            entry.bytes_sent = request.bytes_sent
            parts.on_done(entry)


def _count_hops(request: Request) -> int:
    """Gateways that a request has come through; what isn't a small number counts as too many."""
    value = request.headers.get(HOPS_HEADER, b"0")
    return min(int(value), MAX_HOPS) if value.isdigit() and len(value) < 4 else MAX_HOPS
