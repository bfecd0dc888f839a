"""One request with the replicas that may answer it: tried one after the other until a first byte has come."""

from __future__ import annotations

from curc_llm.gateway.admission import Admission
from curc_llm.gateway.errors import RequestError, engine_failed, name_engine_error
from curc_llm.gateway.events import ENGINE_DIED, EventFilter, TailReader, find_death
from curc_llm.gateway.generation import Generation
from curc_llm.gateway.model_choice import Wanted
from curc_llm.gateway.replica import Replica
from curc_llm.gateway.request import Headers, Request
from curc_llm.gateway.routes import Route
from curc_llm.gateway.upstream import Connection, UpstreamError
from curc_llm.gateway.waiting import Ticket

# Hop-by-hop headers (RFC 9110, 7.6.1), and those that our own server writes.
DROPPED_HEADERS = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade server date x-request-id".split()
)
_DONE = b"[DONE]"  # how every stream of completions ends
_PASSED_ON = (b"accept", b"content-type", b"anthropic-version", b"anthropic-beta", b"openai-beta")
# What an engine finds wrong with a request: short answers, which are read whole.
_REFUSED = (400, 404, 413, 422)
# What another job's gateway answers when it is that job, or our key for it, and not the request that is at
# fault: its key or share ended, its model gone, its queue full, its engine down.
_REFUSED_KEY, _REFUSED_MODEL, _BUSY = (401, 403), 404, (429, 502, 503)


class ReplicaFailedError(Exception):
    """A replica failed a request of which the client hasn't had a byte yet.

    Args:
        fault: what the client is told if there is no other replica.
        wait_s: seconds after which the replica wants to be asked again; None when it doesn't say.
    """

    def __init__(self, fault: RequestError, wait_s: float | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.wait_s = wait_s


class Exchange:
    """One request and its answer.

    Args:
        admission: finds another replica when one fails.
        generation: the request, with a ticket that has its replica.
        route: where it goes.
        wanted: what the engine is sent.
        patience_s: how long the answer's head is kept back for its first byte, while another replica could
            still answer instead.
    """

    def __init__(
        self, admission: Admission, generation: Generation, route: Route, wanted: Wanted, patience_s: float
    ) -> None:
        assert generation.ticket is not None  # noqa: S101 - it has waited for its turn
        self._admission = admission
        self._generation = generation
        self._ticket: Ticket = generation.ticket
        self._route = route
        self._wanted = wanted
        self._patience_s = patience_s
        self._has_begun = False

    async def begin_early(self) -> None:
        """Begins the answer of a stream that waits long, so that comments keep proxies from giving it up."""
        request = self._generation.request
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await request.start(200, [*headers, *self._own_headers(), (b"x-accel-buffering", b"no")])
        self._generation.events = self._make_filter()
        self._generation.beat()

    def _own_headers(self) -> Headers:
        return [(b"x-request-id", self._generation.request.id.encode())]

    def _make_filter(self) -> EventFilter:
        return EventFilter(self._route.usage_mark, drop=self._wanted.hides_usage)

    async def run(self) -> None:
        """Answers the request.

        Raises:
            RequestError: no replica could, and nothing was sent yet.
        """
        generation, entry = self._generation, self._generation.entry
        while (replica := self._ticket.replica) is not None:
            entry.replica = replica.id
            try:
                await self._try(replica)
            except ReplicaFailedError as failure:
                if generation.client_gone:
                    return
                if generation.ended_by is not None:
                    raise generation.ended_by from failure
                self._blame(replica, failure.wait_s)
                if not self._admission.move(self._ticket):
                    raise failure.fault from failure
                entry.retries += 1
            else:
                return

    def _blame(self, replica: Replica, wait_s: float | None = None) -> None:
        replica.load.fail(self._admission.now(), wait_s)

    async def _try(self, replica: Replica) -> None:
        generation = self._generation
        try:
            head = _render_request(generation.request, self._route, self._wanted, replica, self._ticket.hops)
            # Where another replica can have it, no engine gets a request a second time.
            may_repeat = not self._admission.can_move(self._ticket)
            connection = await replica.pool.request(head, generation.attach, may_repeat=may_repeat)
        except UpstreamError as error:
            raise ReplicaFailedError(_before_head(replica, error)) from error
        try:
            await self._answer(replica, connection)
        except UpstreamError as error:
            fault = _mid_answer(replica, error)
            if not self._has_begun:
                raise ReplicaFailedError(fault) from error
            if not generation.client_gone:
                if generation.ended_by is None:
                    self._blame(replica)
                await break_off(generation, self._route, generation.ended_by or fault)
        finally:
            # From now on it may carry another's request: whoever ends this one must not end that.
            generation.connection = None
            replica.pool.give_back(connection)

    async def _answer(self, replica: Replica, connection: Connection) -> None:
        generation, request = self._generation, self._generation.request
        if replica.is_remote:
            self._judge(replica, connection)
        headers = pass_headers(connection.headers)
        is_events = any(n == b"content-type" and v.startswith(b"text/event-stream") for n, v in headers)
        headers += self._own_headers()
        if connection.status in _REFUSED and not is_events:
            replica.load.succeed()  # it is the request that is at fault
            await self._relay_failure(connection, headers)
            return
        if connection.status == 500 or (request.started and not is_events):
            await self._relay_failure(connection, headers)
            return
        await self._wait_for_first_byte(connection)
        if not (replica.is_remote and connection.status in _BUSY):
            replica.load.succeed()
        self._has_begun = True
        if not is_events:
            await request.start(connection.status, headers, join=connection.has_data)
            await _relay_plain(generation, connection)
            return
        if not request.started:
            headers = [h for h in headers if h[0] != b"content-length"]
            await request.start(connection.status, [*headers, (b"x-accel-buffering", b"no")])
        await _relay_events(generation, connection, self._make_filter(), self._route.can_force_usage)

    async def _relay_failure(self, connection: Connection, headers: Headers) -> None:
        """Passes on what the engine says of a failure, but in our words when it says that it is dying."""
        body, request = b"", self._generation.request
        while data := await connection.read():
            body += data
        # A refusal may repeat what the client wrote, and so whatever it likes.
        if connection.status not in _REFUSED and ENGINE_DIED in body:
            raise _died(self._generation)
        body = name_engine_error(connection.status, body)
        self._generation.entry.keep_answer(body)
        if not request.started:
            headers = [header for header in headers if header[0] != b"content-length"]
            await request.answer(connection.status, body, headers)
            return
        self._generation.entry.status = connection.status
        name = b"event: error\n" if self._route.names_events else b""
        await request.write(name + b"data: " + b" ".join(body.split(b"\n")) + b"\n\n", more=False)

    async def _wait_for_first_byte(self, connection: Connection) -> None:
        """While another replica could answer instead, the client gets nothing until this one has begun to."""
        if not self._admission.can_move(self._ticket):
            return
        await connection.wait_body(self._patience_s)
        if find_death(connection.peek()) == 0:
            raise _died(self._generation)

    def _judge(self, replica: Replica, connection: Connection) -> None:
        """Looks whether another job's gateway refuses us, so that another replica may do better."""
        status = connection.status
        if status in _REFUSED_KEY or status == _REFUSED_MODEL:
            why = "refuses this session's key" if status in _REFUSED_KEY else "doesn't serve it any more"
            message = f"The job that {replica.name!r} runs in {why}. Tell the session's owner."
            raise ReplicaFailedError(RequestError(503, "replica_refused", message, retry_after_s=30), 30)
        if status in _BUSY:
            wait_s = _read_retry_after(connection.headers)
            if self._admission.can_move(self._ticket):
                message = f"The model {replica.name!r} can't answer now. Try again in {wait_s} s."
                raise ReplicaFailedError(
                    RequestError(503, "engine_restarting", message, retry_after_s=wait_s), wait_s
                )
            self._blame(replica, wait_s)


def _read_retry_after(headers: Headers) -> int:
    value = next((v for n, v in headers if n == b"retry-after"), b"")
    return int(value) if value.isdigit() and len(value) < 5 else 2


def _render_request(request: Request, route: Route, wanted: Wanted, replica: Replica, hops: int) -> bytes:
    """The request as the engine gets it: our own path and length, and nothing that says who asks."""
    pool = replica.pool
    lines = [b"POST ", pool.prefix, route.path.encode(), b" HTTP/1.1\r\n", pool.render_headers(hops)]
    lines += [b"%s: %s\r\n" % (name, request.headers[name]) for name in _PASSED_ON if name in request.headers]
    lines.append(b"x-request-id: %s\r\ncontent-length: %d\r\n\r\n" % (request.id.encode(), len(wanted.body)))
    lines.append(wanted.body)
    return b"".join(lines)


def pass_headers(headers: Headers) -> Headers:
    """The headers of an answer that are passed on."""
    named = [v.lower().replace(b" ", b"").split(b",") for n, v in headers if n == b"connection"]
    dropped = DROPPED_HEADERS.union(*named) if named else DROPPED_HEADERS
    return [(name, value) for name, value in headers if name not in dropped]


def _died(generation: Generation) -> ReplicaFailedError:
    return ReplicaFailedError(
        engine_failed(generation.entry.model, "died before it answered", retry_after_s=10)
    )


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


async def break_off(generation: Generation, route: Route, fault: RequestError) -> None:
    """Ends an answer that has begun: events say why; all else is cut, so that nobody takes it as whole."""
    generation.entry.status = fault.status
    if generation.events is None:
        generation.request.connection.transport.close()
        return
    await generation.request.write(fault.render_event(named=route.names_events), more=False)


def _before_head(replica: Replica, error: UpstreamError) -> RequestError:
    if error.connected:
        return engine_failed(replica.name, f"stopped before it answered: {error}", retry_after_s=10)
    message = f"The engine of {replica.name!r} can't be reached; it is restarted. Try again in 10 s."
    return RequestError(503, "engine_restarting", message, retry_after_s=10)


def _mid_answer(replica: Replica, error: UpstreamError) -> RequestError:
    return engine_failed(replica.name, f"stopped while it answered: {error}")
