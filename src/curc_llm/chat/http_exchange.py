"""One HTTP request and its reply on a unix socket: small, because every token passes through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httptools

READ_BYTES = 65536


class HttpExchange:
    """A request on a connection of its own; closing it is what makes the gateway abort a generation.

    Args:
        socket_path: the unix socket to ask.

    Example:
        >>> async with HttpExchange(Path("gateway.sock")) as exchange:
        ...     status = await exchange.ask("GET", "/status", {})
        ...     body = await exchange.read_all()
    """

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._parser = httptools.HttpResponseParser(self)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._chunks: list[bytes] = []
        self._head_done = False
        self._complete = False
        self.headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_unix_connection(str(self._socket_path))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> int:
        """Sends the request and waits for the reply's head.

        Args:
            method: GET or POST.
            path: with the query, if there is one.
            headers: those beside Host and the body's.
            body: any JSON value, or None for a request without a body.

        Returns:
            The reply's status code.

        Raises:
            OSError: the connection broke.
            httptools.HttpParserError: what came back isn't HTTP.
        """
        assert self._writer is not None  # noqa: S101 - only inside `async with`
        self._writer.write(render_request(method, path, headers, body))
        await self._writer.drain()
        while not self._head_done:
            await self._read()
        return int(self._parser.get_status_code())

    async def iterate(self, rest_s: Callable[[], float] = lambda: 0.0) -> AsyncIterator[bytes]:
        """Yields the body's bytes as they arrive.

        Args:
            rest_s: how long to leave what comes next where it is, in seconds. Each look at a socket costs,
                and a hundred streams of 100 events/s would be 10,000 of them.

        Raises:
            ConnectionResetError: the other side went away before the body was complete.
        """
        while True:
            chunks, self._chunks = self._chunks, []
            if chunks:
                yield b"".join(chunks)
            if self._complete:
                return
            if chunks and (seconds := rest_s()):
                await self._rest(seconds)
            await self._read()

    async def read_all(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.iterate()])

    async def _rest(self, seconds: float) -> None:
        assert self._writer is not None  # noqa: S101 - only inside `async with`
        self._writer.transport.pause_reading()  # type: ignore[attr-defined] # it is one that reads, too
        try:
            await asyncio.sleep(seconds)
        finally:
            self._writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def _read(self) -> None:
        assert self._reader is not None  # noqa: S101 - only inside `async with`
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise ConnectionResetError("The gateway closed the connection before the reply was complete.")
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._head_done = True

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._complete = True


def render_request(method: str, path: str, headers: Mapping[str, str], body: Any = None) -> bytes:
    """Writes a request.

    Example:
        >>> render_request("GET", "/status", {"X-A": "b"}).splitlines()[0]
        b'GET /status HTTP/1.1'
    """
    content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", "Connection: close"]
    lines += [f"{name}: {_one_line(value)}" for name, value in headers.items()]
    if body is not None or method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + content


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
