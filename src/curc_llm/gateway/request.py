"""One request, as the rest of the gateway sees it: prefix taken off, headers by name, body bounded."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from curc_llm.gateway.errors import RequestError

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from curc_llm.gateway.protocol import GatewayProtocol

Headers = list[tuple[bytes, bytes]]

# Request ids tell requests of all runs apart; they aren't secret.
_RUN, _NUMBERS = secrets.token_hex(4), itertools.count(1)
_CLOSE = ((b"connection", b"close"),)

# Open OnDemand keeps this prefix when it relays to a port of a node (mod_ood_proxy, /node/HOST/PORT/...).
_PREFIX = re.compile(r"^/node/[^/]{1,255}/[0-9]{1,5}(?=/|$)")
READ_METHODS = ("GET", "HEAD")


class _Cork:
    """Stands in for a transport until a head and what follows can be written at once: one packet."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._head:
            self._cycle.transport = self._transport
            self._transport.write(self._head + data)
        self._head = data

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()


class ClientGoneError(Exception):
    """The client closed its connection before it had sent its whole request."""


class Request:
    """A request and the way to answer it.

    Args:
        scope, receive, send: ASGI's own.
        body_s: seconds of silence after which the body is given up.
    """

    def __init__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
        body_s: float,
    ) -> None:
        self.method: str = scope["method"]
        self.header_list: Headers = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self.header_list)
        self.query: bytes = scope["query_string"]
        raw_path: str = scope["raw_path"].decode("ascii")
        found = _PREFIX.match(raw_path)
        self.prefix: str = found.group(0) if found else ""
        self.raw_path: str = raw_path[len(self.prefix) :] or "/"
        self.path: str = unquote(self.raw_path) if "%" in self.raw_path else self.raw_path
        self.peer: str = scope["client"][0] if scope["client"] else ""
        self.connection: GatewayProtocol = scope["extensions"]["curc_llm"]
        self.id = f"{_RUN}{next(_NUMBERS):08x}"
        self.send = send
        # uvicorn's own object of this exchange: its `send` belongs to it.
        self.cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]
        self.connection.answering = self.cycle
        self._receive = receive
        self._body_s = body_s
        self.started = False
        self.status = 0
        self.bytes_sent = 0

    def header(self, name: bytes) -> str:
        """A header's value as text, empty when it wasn't sent."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def wants_html(self) -> bool:
        """True for a browser that opens a page, not for a program that asks for data."""
        return self.method in {"GET", "HEAD"} and b"text/html" in self.headers.get(b"accept", b"")

    @property
    def is_https(self) -> bool:
        """True when the browser reached the proxy in front of us by https."""
        return self.headers.get(b"x-forwarded-proto", b"").split(b",")[0].strip() == b"https"

    def require_method(self, *methods: str) -> None:
        """Refuses other methods than a path takes.

        Raises:
            RequestError: it is another one (405).
        """
        if self.method not in methods:
            allowed = ", ".join(methods)
            message = f"{self.path[:200]} takes {allowed}, not {self.method}."
            raise RequestError(405, "method_not_allowed", message, headers=((b"allow", allowed.encode()),))

    async def receive_chunk(self) -> tuple[bytes, bool]:
        """The next piece of the body, and whether more follows.

        Raises:
            RequestError: nothing came for too long (408).
            ClientGoneError: the client closed the connection.
        """
        try:
            if self.cycle.body or not self.cycle.more_body:
                event = await self._receive()  # it lies there already: no timer is needed
            else:
                async with asyncio.timeout(self._body_s):
                    event = await self._receive()
        except TimeoutError:
            raise RequestError(
                408, "timeout", f"The request's body stopped arriving for {self._body_s:g} s.", headers=_CLOSE
            ) from None
        if event["type"] == "http.disconnect":
            raise ClientGoneError
        return event["body"], event["more_body"]

    async def read_form(self, limit_bytes: int, within_s: float) -> bytes:
        """The whole body of one who hasn't shown a key: it must come in one go, not byte by byte.

        Raises:
            RequestError: it is larger than `limit_bytes`, or took longer than `within_s` seconds.
            ClientGoneError: the client closed the connection.
        """
        try:
            async with asyncio.timeout(within_s):
                return await self.read_body(limit_bytes)
        except TimeoutError:
            raise RequestError(408, "timeout", "The form took too long to arrive.", headers=_CLOSE) from None

    async def read_body(self, limit_bytes: int) -> bytes:
        """The whole body.

        Raises:
            RequestError: it is larger than `limit_bytes` (413), at once when Content-Length says so; or it
                stopped arriving.
            ClientGoneError: the client closed the connection.
        """
        if int(self.headers.get(b"content-length", b"0")) > limit_bytes:
            raise self.too_large(limit_bytes)
        body, more = await self.receive_chunk()
        if not more:
            if len(body) > limit_bytes:
                raise self.too_large(limit_bytes)
            return body
        parts, size = [body], len(body)
        while more:
            body, more = await self.receive_chunk()
            parts.append(body)
            size += len(body)
            if size > limit_bytes:
                raise self.too_large(limit_bytes)
        return b"".join(parts)

    @staticmethod
    def too_large(limit_bytes: int) -> RequestError:
        """The answer to a request that is larger than `limit_bytes`."""
        message = (
            f"The request is larger than the {limit_bytes / 2**20:g} MiB that this session accepts."
            " Send less, or raise max_body_mib."
        )
        return RequestError(413, "request_too_large", message)

    async def start(self, status: int, headers: Headers, *, join: bool = False) -> None:
        """Sends the response's head.

        Args:
            status: HTTP status.
            headers: without Date, Connection and Transfer-Encoding, which uvicorn adds.
            join: a piece of the body follows at once and can go out with it.
        """
        self.started, self.status = True, status
        if join and self.method != "HEAD":
            self.cycle.transport = _Cork(self.cycle)  # type: ignore[assignment]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Sends a piece of the response's body, waiting while the client is slow."""
        self.bytes_sent += len(body)
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    def write_event(self, data: bytes) -> bool:
        """Sends a piece of a chunked response at once: a token doesn't wait for a task to be woken up.

        Args:
            data: not empty; an empty chunk would end the response.

        Returns:
            False when the client is slow; `connection.on_writable` is called when it has caught up.
        """
        if self.cycle.disconnected:
            return True
        self.bytes_sent += len(data)
        self.connection.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return not self.connection.flow.write_paused

    async def answer(self, status: int, body: bytes, headers: Headers) -> None:
        """Sends a whole response."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))], join=bool(body))
        await self.write(body, more=False)

    async def answer_json(self, status: int, value: Any, headers: Headers | None = None) -> None:
        """Sends JSON that no cache keeps."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        own = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await self.answer(status, body, [*own, *(headers or [])])

    async def answer_fault(self, fault: RequestError) -> None:
        """Sends an error."""
        await self.answer(fault.status, fault.render(), fault.headers)

    async def redirect(self, path: str, headers: Headers | None = None) -> None:
        """Sends the browser on (303) to an absolute path below the prefix it came by."""
        where = (b"location", (self.prefix + path).encode())
        await self.answer(303, b"", [where, (b"cache-control", b"no-store"), *(headers or [])])
