"""From a client to an engine and back: the path that every token takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from curc_llm.gateway.accesslog import Entry
from curc_llm.gateway.activity import ActivityReporter
from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError, engine_failed
from curc_llm.gateway.events import ENGINE_DIED, EventFilter, TailReader
from curc_llm.gateway.generation import Caretaker, Generation
from curc_llm.gateway.guests import GuestWatch, access_ended
from curc_llm.gateway.live import Engine, LiveSession
from curc_llm.gateway.model_choice import Wanted, parse_wanted
from curc_llm.gateway.request import Headers, Request
from curc_llm.gateway.routes import Route
from curc_llm.gateway.throttle import RequestRate
from curc_llm.gateway.upstream import Connection, UpstreamError

CLIENT_GONE = 499  # nginx's status for a client that left
# Hop-by-hop headers (RFC 9110, 7.6.1), and those that our own server writes.
DROPPED_HEADERS = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade server date x-request-id".split()
)
_DONE = b"[DONE]"  # how every stream of completions ends
_PASSED_ON = (b"accept", b"content-type", b"anthropic-version", b"anthropic-beta", b"openai-beta")


@dataclass(frozen=True)
class RelayParts:
    """What a relay needs of the gateway.

    Args:
        watch: ends what runs for guests whose share is over.
        max_body_bytes: largest request.
        log_prompts: also log what was asked and answered.
        on_done: told each request's log entry once it has ended.
    """

    live: LiveSession
    activity: ActivityReporter
    caretaker: Caretaker
    rate: RequestRate
    watch: GuestWatch
    max_body_bytes: int
    log_prompts: bool
    on_done: Callable[[Entry], None]


class EngineRelay:
    """Relays requests to engines."""

    def __init__(self, parts: RelayParts) -> None:
        self._parts = parts

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
        engine = parts.live.find_engine(wanted.model, caller.models)
        entry = self._make_entry(request, route, caller, engine, wanted)
        generation = Generation(request, entry)
        if route.is_generation:
            parts.activity.begin()
        parts.caretaker.add(generation)
        request.connection.on_lost = generation.leave
        try:
            with parts.watch.hold(caller, lambda: generation.end(access_ended(caller.name))):
                await self._exchange(generation, route, engine, wanted)
        except RequestError as fault:
            entry.status = fault.status
            raise
        finally:
            request.connection.on_lost = None
            parts.caretaker.remove(generation)
            if route.is_generation:
                parts.activity.end()
            entry.status = CLIENT_GONE if generation.client_gone else entry.status or request.status
            entry.bytes_sent = request.bytes_sent
            parts.on_done(entry)

    def _check_may_begin(self, route: Route, caller: Caller) -> None:
        state = self._parts.live.state
        if route.is_generation and not state.accepting:
            message = state.drain_message or "The session is ending."
            raise RequestError(503, "session_ending", f"{message} No new request is begun.")
        if route.is_generation and caller.key is not None:
            limit = caller.key.requests_per_minute
            if wait_s := self._parts.rate.take(caller.key.digest, limit):
                message = (
                    f"The key {caller.name!r} may make {limit} requests a minute. Try again in {wait_s} s."
                )
                raise RequestError(429, "rate_limit_exceeded", message, retry_after_s=wait_s)

    def _make_entry(
        self, request: Request, route: Route, caller: Caller, engine: Engine, wanted: Wanted
    ) -> Entry:
        name = "chat" if caller.is_private else route.path
        entry = Entry(request.id, name, caller.name, model=engine.name, stream=wanted.stream)
        if self._parts.log_prompts:
            entry.asked, entry.answered = wanted.document, []
        return entry

    async def _exchange(self, generation: Generation, route: Route, engine: Engine, wanted: Wanted) -> None:
        head = _render_request(generation.request, route, wanted)
        try:
            connection = await engine.pool.request(head, generation.attach)
        except UpstreamError as error:
            if generation.client_gone:
                return
            raise generation.ended_by or _before_head(engine, error) from error
        try:
            await self._answer(generation, route, wanted, connection)
        except UpstreamError as error:
            if not generation.client_gone:
                await _break_off(generation, route, generation.ended_by or _mid_answer(engine, error))
        finally:
            engine.pool.give_back(connection)

    async def _answer(
        self, generation: Generation, route: Route, wanted: Wanted, connection: Connection
    ) -> None:
        headers = pass_headers(connection.headers)
        is_events = any(n == b"content-type" and v.startswith(b"text/event-stream") for n, v in headers)
        headers.append((b"x-request-id", generation.request.id.encode()))
        if connection.status == 500:
            await _relay_failure(generation, connection, headers)
            return
        if not is_events:
            await generation.request.start(connection.status, headers, join=connection.has_data)
            await _relay_plain(generation, connection)
            return
        headers = [h for h in headers if h[0] != b"content-length"]
        await generation.request.start(connection.status, [*headers, (b"x-accel-buffering", b"no")])
        await _relay_events(
            generation,
            connection,
            EventFilter(route.usage_mark, drop=wanted.hides_usage),
            route.can_force_usage,
        )


def _render_request(request: Request, route: Route, wanted: Wanted) -> bytes:
    """The request as the engine gets it: our own path and length, and nothing that says who asks."""
    lines = [b"POST ", route.path.encode(), b" HTTP/1.1\r\nhost: localhost\r\n"]
    lines += [b"%s: %s\r\n" % (name, request.headers[name]) for name in _PASSED_ON if name in request.headers]
    lines.append(b"x-request-id: %s\r\ncontent-length: %d\r\n\r\n" % (request.id.encode(), len(wanted.body)))
    lines.append(wanted.body)
    return b"".join(lines)


def pass_headers(headers: Headers) -> Headers:
    """The headers of an answer that are passed on."""
    named = [v.lower().replace(b" ", b"").split(b",") for n, v in headers if n == b"connection"]
    dropped = DROPPED_HEADERS.union(*named) if named else DROPPED_HEADERS
    return [(name, value) for name, value in headers if name not in dropped]


async def _relay_failure(generation: Generation, connection: Connection, headers: Headers) -> None:
    """Passes on what the engine says of its own failure, but in our words when it says that it is dying."""
    body = b""
    while data := await connection.read():
        body += data
    if ENGINE_DIED in body:
        raise engine_failed(generation.entry.model, "died before it answered", retry_after_s=10)
    headers = [header for header in headers if header[0] != b"content-length"]
    await generation.request.answer(connection.status, body, headers)


async def _relay_plain(generation: Generation, connection: Connection) -> None:
    tail, entry, request = TailReader(), generation.entry, generation.request
    while data := await connection.read():
        if entry.first_token_s is None:
            entry.note_first_byte()
        tail.feed(data)
        entry.keep_answer(data)
        await request.write(data)
    entry.usage = tail.read_usage()
    await request.write(b"", more=False)


async def _relay_events(
    generation: Generation, connection: Connection, events: EventFilter, must_say_done: bool
) -> None:
    generation.events = events
    generation.entry.usage = events.usage
    generation.request.connection.on_writable = connection.resume
    await connection.pump(generation.take)
    if generation.ended_by is not None:
        raise UpstreamError("it was ended", connected=True)
    if must_say_done and connection.status == 200 and _DONE not in generation.last_bytes:
        # A dying vLLM may end a stream in good order in the middle of an answer.
        raise UpstreamError("the answer isn't whole", connected=True)
    await generation.request.write(events.flush(), more=False)


async def _break_off(generation: Generation, route: Route, fault: RequestError) -> None:
    """Ends an answer that has begun: events say why; all else is cut, so that nobody takes it as whole."""
    generation.entry.status = fault.status
    if generation.events is None:
        generation.request.connection.transport.close()
        return
    await generation.request.write(fault.render_event(named=route.names_events), more=False)


def _before_head(engine: Engine, error: UpstreamError) -> RequestError:
    if error.connected:
        return engine_failed(engine.name, f"stopped before it answered: {error}", retry_after_s=10)
    message = f"The engine of {engine.name!r} can't be reached; it is restarted. Try again in 10 s."
    return RequestError(503, "engine_restarting", message, retry_after_s=10)


def _mid_answer(engine: Engine, error: UpstreamError) -> RequestError:
    return engine_failed(engine.name, f"stopped while it answered: {error}")
