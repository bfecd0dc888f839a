"""One HTTP/1.1 connection that carries one request at a time, with as little Python for each as can be.

A batch sends thousands of small requests beside an engine on the same cores, so what a request costs the
client is what the engine doesn't get: httpx takes about ten times as much, the openai library more
(benchmarks/results/batch.md). Only what answers of a gateway need is here: a length, chunks, or the
connection's end; redirects are never followed, for they would carry the key to a stranger.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

# A head is some hundred bytes; beyond this the other side isn't one of ours.
MAX_HEAD_BYTES = 64 * 1024


class LostError(Exception):
    """The connection broke, or none could be made.

    Args:
        sent: whether the request may have reached the other side.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer.

    Args:
        status: HTTP's.
        headers: names in lower case.
        body: as it came.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Wire(asyncio.Protocol):
    """One connection.

    Args:
        loop: whose it is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[Reply] | None = None
        self._data = bytearray()
        self._head: tuple[int, dict[str, str]] | None = None
        self._length: int | None = None
        self._is_chunked = False
        self.is_reusable = True
        self.idle_since_s = 0.0
        self.sent_at_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP's always is
        self._transport = transport

    @property
    def is_open(self) -> bool:
        """Whether it can carry another request."""
        return self.is_reusable and not self._transport.is_closing()

    def send(self, request: bytes) -> asyncio.Future[Reply]:
        """Sends a whole request; the future is its whole answer.

        Raises:
            LostError: from the future, when the connection breaks before.
        """
        self._waiter = self._loop.create_future()
        self.sent_at_s = time.monotonic()
        self._transport.write(request)
        return self._waiter

    def abort(self) -> None:
        """Closes it at once, which ends a generation that nobody waits for any more."""
        self.is_reusable = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Asyncio's."""
        self._data += data
        try:
            if self._head is None and not self._take_head():
                return
            body = self._take_body()
        except ValueError as error:
            self._fail(f"it answered something that isn't HTTP ({error})")
            return
        if body is not None:
            self._finish(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's."""
        self.is_reusable = False
        if self._head is not None and self._length is None and not self._is_chunked and exc is None:
            self._finish(bytes(self._data))  # a body without length ends with the connection (RFC 9112, 6.3)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(LostError(f"the connection broke ({exc or 'closed'})", sent=True))

    def _take_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > MAX_HEAD_BYTES:
                raise ValueError("its head doesn't end")
            return False
        first, *lines = self._data[:end].decode("latin-1").split("\r\n")
        del self._data[: end + 4]
        if not first.startswith("HTTP/1."):
            raise ValueError(repr(first[:20]))
        status = int(first[9:12])
        if status < 200:  # 100 Continue is no answer yet
            return bool(self._data) and self._take_head()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._head = (status, headers)
        self._is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length")
        self._length = 0 if status in {204, 304} else None if length is None else int(length)
        if first.startswith("HTTP/1.0") or headers.get("connection", "").lower() == "close":
            self.is_reusable = False
        return True

    def _take_body(self) -> bytes | None:
        if self._is_chunked:
            return join_chunks(self._data)
        if self._length is None or len(self._data) < self._length:
            return None
        return bytes(self._data[: self._length])

    def _finish(self, body: bytes) -> None:
        assert self._head is not None  # noqa: S101 - only called after it
        status, headers = self._head
        self._head, self._length, self._is_chunked = None, None, False
        self._data.clear()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Reply(status, headers, body))

    def _fail(self, message: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(LostError(message, sent=True))
        self.abort()


def join_chunks(data: bytes | bytearray) -> bytes | None:
    """The body that chunks carry; None while its last one hasn't come.

    Raises:
        ValueError: these are no chunks.

    Example:
        >>> join_chunks(b"2\\r\\nab\\r\\n0\\r\\n\\r\\n")
        b'ab'
    """  # noqa: D301
    parts: list[bytes] = []
    place = 0
    while (end := data.find(b"\r\n", place)) >= 0:
        size = int(bytes(data[place:end]).partition(b";")[0], 16)
        place = end + 2
        if size == 0:
            return b"".join(parts) if data.find(b"\r\n", place) >= 0 else None
        if len(data) < place + size + 2:
            return None
        parts.append(bytes(data[place : place + size]))
        place += size + 2
    return None
