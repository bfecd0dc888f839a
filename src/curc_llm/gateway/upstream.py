"""A small HTTP/1.1 client for unix sockets: pooled, passing bytes on as they come, held back both ways.

Why not a library: on the token path each costs several times as much (benchmarks/), and the engine on the
other side of the socket is ours, so what a client must put up with from strangers isn't needed here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import httptools

Headers = list[tuple[bytes, bytes]]

# Answers wait here only while the client is slow; beyond this the engine is no longer read from.
_HIGH_WATER_BYTES = 256 * 1024
# vLLM's server closes idle connections after 5 s; older ones of ours aren't used again, so that none is used
# in that moment.
_IDLE_LIFE_S = 4.0
_IDLE_CONNECTIONS = 128
# A connection that was already dead says so within this time.
_STALE_S = 0.1


class UpstreamError(Exception):
    """The other side of a unix socket can't be reached, or broke off.

    Args:
        message: what happened.
        connected: False when nothing was sent, because no connection could be made.
    """

    def __init__(self, message: str, *, connected: bool) -> None:
        super().__init__(message)
        self.connected = connected


class Connection(asyncio.Protocol):
    """One connection to a unix socket, which carries one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # Both are set before anything else can happen: by `reset` below, and by `connection_made`.
        self._parser: httptools.HttpResponseParser
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._paused = False
        self._given_up = False
        self.idle_since = 0.0
        self.reset()

    def reset(self) -> None:
        """Makes it ready for the next request."""
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: Headers = []
        self.has_head = False
        self.complete = False
        self.can_be_reused = False
        self.error: str | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._sink: Callable[[bytes], None] | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Asyncio's."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Asyncio's."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.error = f"it answered something that isn't HTTP ({type(error).__name__})"
            self._transport.abort()
        if self._sink is not None:
            self._deliver(self._sink)
            if not self.complete:
                return
        elif self._size > _HIGH_WATER_BYTES:
            self.pause()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's."""
        if self.has_head and exc is None and self._ends_with_connection:
            self.complete = True
        if not self.complete and self.error is None:
            self.error = f"the connection was lost ({exc or 'it was closed'})"
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Asyncio's."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Asyncio's."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if not self.has_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Called by the parser; a `100 Continue` is no answer yet."""
        self.status = self._parser.get_status_code()
        self.has_head = self.status >= 200
        if not self.has_head:
            self.headers = []

    @property
    def _ends_with_connection(self) -> bool:
        """A body without length or chunks ends where the connection does (RFC 9112, 6.3)."""
        return not any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers)

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._chunks.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self.has_head:
            self.complete = True
            self.can_be_reused = self._parser.should_keep_alive()

    # What the gateway calls.

    @property
    def is_open(self) -> bool:
        """True while the other side hasn't closed it."""
        return self.error is None and not self._transport.is_closing()

    @property
    def has_data(self) -> bool:
        """True when some of the body has come and wasn't read yet."""
        return bool(self._chunks)

    def write(self, data: bytes) -> None:
        """Sends bytes of the request."""
        self._transport.write(data)

    async def drain(self) -> None:
        """Waits while the other side is slow to read."""
        if self._writable is not None:
            await self._writable

    async def wait_head(self) -> None:
        """Waits for the response's status and headers.

        Raises:
            UpstreamError: the connection was lost before.
        """
        while not self.has_head:
            if self.error is not None:
                raise UpstreamError(self.error, connected=True)
            await self._wait()

    async def wait_body(self, limit_s: float) -> None:
        """Waits until some of the body is there, or all that comes of it, or the time is over.

        Raises:
            UpstreamError: the connection was lost before.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not (self._chunks or self.complete):
                    if self.error is not None:
                        raise UpstreamError(self.error, connected=True)
                    await self._wait()

    def peek(self) -> bytes:
        """What has come of the body and wasn't read yet."""
        return b"".join(self._chunks)

    async def read(self) -> bytes:
        """All of the body that has come, joined; b"" at its end.

        Raises:
            UpstreamError: the connection was lost before the body's end.
        """
        while not self._chunks:
            if self.complete:
                return b""
            if self.error is not None:
                raise UpstreamError(self.error, connected=True)
            await self._wait()
        data = self._take_chunks()
        self.resume()
        return data

    async def pump(self, sink: Callable[[bytes], None]) -> None:
        """Gives all that comes to `sink` in the moment in which it comes, until the body's end.

        Raises:
            UpstreamError: the connection was lost before the body's end.
        """
        self._sink = sink
        try:
            self._deliver(sink)
            self.resume()
            while not self.complete:
                if self.error is not None:
                    raise UpstreamError(self.error, connected=True)
                await self._wait()
        finally:
            self._sink = None

    def _deliver(self, sink: Callable[[bytes], None]) -> None:
        if self._chunks:
            sink(self._take_chunks())

    def _take_chunks(self) -> bytes:
        chunks, self._chunks, self._size = self._chunks, [], 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def pause(self) -> None:
        """Stops reading, so that the other side has to wait."""
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads on."""
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    @property
    def given_up(self) -> bool:
        """True once `abort` was called."""
        return self._given_up

    def abort(self) -> None:
        """Closes the connection at once; that is how the other side learns that nobody waits any more."""
        self._given_up = True
        if self.error is None:
            self.error = "it was given up"
        self._transport.abort()
        self._wake()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Pool:
    """Connections to one unix socket.

    Args:
        path: the socket.
        connect_s: seconds until a connection must be made.
    """

    def __init__(self, path: str, connect_s: float) -> None:
        self.path = path
        self._connect_s = connect_s
        self._idle: list[Connection] = []

    async def open_stream(self, head: bytes) -> Connection:
        """A fresh connection with a request's head sent; for bodies that can't be sent twice.

        Raises:
            UpstreamError: nobody listens.
        """
        connection = await self._connect()
        connection.write(head)
        return connection

    async def request(
        self,
        head: bytes,
        on_open: Callable[[Connection], None] | None = None,
        *,
        may_repeat: bool = True,
    ) -> Connection:
        """Sends a whole request and waits for the response's head.

        Args:
            head: the request, with its body.
            on_open: told the connection as soon as there is one, so that it can be aborted.
            may_repeat: send it once more when an idle connection turns out to be closed.

        Raises:
            UpstreamError: nobody listens, or the connection was lost before the head.
        """
        if (connection := self._take()) is not None:
            sent_at = asyncio.get_running_loop().time()
            try:
                return await self._exchange(connection, head, on_open)
            except UpstreamError:
                # An idle connection may close in the very moment in which it is used. Then nobody has seen
                # the request, and a fresh connection may carry it. Later it may have been seen, and nothing
                # is ever sent twice.
                if (
                    not may_repeat
                    or connection.given_up
                    or asyncio.get_running_loop().time() - sent_at > _STALE_S
                ):
                    raise
        return await self._exchange(await self._connect(), head, on_open)

    @staticmethod
    async def _exchange(
        connection: Connection, head: bytes, on_open: Callable[[Connection], None] | None
    ) -> Connection:
        if on_open is not None:
            on_open(connection)
        connection.write(head)
        await connection.wait_head()
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keeps a connection whose response is complete for the next request."""
        if not (connection.complete and connection.can_be_reused and connection.is_open):
            connection.abort()
        elif len(self._idle) < _IDLE_CONNECTIONS:
            connection.reset()
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()

    def close(self) -> None:
        """Closes all idle connections."""
        while self._idle:
            self._idle.pop().abort()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if (
                connection.is_open
                and asyncio.get_running_loop().time() - connection.idle_since < _IDLE_LIFE_S
            ):
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_s):
                return await self._open(asyncio.get_running_loop())
        except (OSError, TimeoutError) as error:
            reason = (
                "it didn't accept the connection in time" if isinstance(error, TimeoutError) else str(error)
            )
            raise UpstreamError(reason, connected=False) from error

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Connection:
        _, connection = await loop.create_unix_connection(lambda: Connection(loop), self.path)
        return connection

    def render_headers(self, hops: int) -> bytes:  # noqa: ARG002 - an engine of this job is the last
        """What each request's head says, beside its own headers.

        Args:
            hops: gateways that the request has come through.

        Raises:
            UpstreamError: it can't be said.
        """
        return b"host: localhost\r\n"

    @property
    def prefix(self) -> bytes:
        """What stands in front of each path."""
        return b""
