"""uvicorn's HTTP/1.1 protocol with the limits that a port open to strangers needs.

uvicorn (on llhttp) already refuses two Content-Lengths, Content-Length with Transfer-Encoding, and everything
that isn't HTTP. Added here: heads are bounded in size and time, silent connections are closed, connections
are capped, websockets are refused, and a refused client gets the time to read why.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from curc_llm.gateway.channel import Limits
from curc_llm.gateway.errors import RequestError

_VERSIONS = frozenset({"1.1", "1.0"})
_NOTHING_KEPT: deque[tuple[bytes, bytes]] = deque(maxlen=0)
_BAD_REQUEST = RequestError(400, "invalid_request", "This isn't an HTTP/1.1 request that can be understood.")


class GatewayProtocol(HttpToolsProtocol):
    """One connection from a client."""

    limits = Limits()
    # Called when the client goes away while its request is being answered, and when it reads on after having
    # been slow.
    on_lost: Callable[[], None] | None = None
    on_writable: Callable[[], None] | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.answering: RequestResponseCycle | None = None
        self._in_head = True
        self._in_body = False
        self._refusing = False
        self._fault = _BAD_REQUEST
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self.idle_since = self.loop.time()

    @property
    def is_idle(self) -> bool:
        """True while no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock for the first request; makes room when there are too many connections."""
        super().connection_made(transport)
        self._start_timer(self.limits.header_s, self._head_is_late)
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def _make_room(self) -> None:
        idle = [c for c in self.connections if isinstance(c, GatewayProtocol) and c.is_idle and c is not self]
        if idle:
            min(idle, key=lambda c: c.idle_since).transport.abort()
        else:
            self._refuse(
                RequestError(
                    503, "too_many_connections", "Too many connections are open. Try again.", retry_after_s=2
                )
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the request that is being answered, at once."""
        self._stop_timer()
        self._stop_write_timer()
        if self.answering is not None:  # uvicorn tells the newest exchange only, which may be a later one
            self.answering.disconnected = True
            self.answering.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def data_received(self, data: bytes) -> None:
        """Counts a head's bytes, and starts the clock for one that hasn't come wholly."""
        if self._refusing:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes and not self._refusing:
            if self._head_bytes > self.limits.header_bytes:
                self._refuse(_headers_too_large(self.limits.header_bytes))
            elif self._timer is None:
                self._start_timer(self.limits.header_s, self._head_is_late)

    def on_message_begin(self) -> None:
        """A new request begins."""
        super().on_message_begin()
        self._in_head, self._in_body = True, False
        self.scope["extensions"] = {"curc_llm": self}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        """Refuses what must not reach the application."""
        self._stop_timer()
        # No head is larger than what has been read since it began.
        if self._head_bytes > self.limits.header_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.limits.header_bytes:
                self._fault = _headers_too_large(self.limits.header_bytes)
                raise httptools.HttpParserError(self._fault.message)
        self._in_head, self._in_body, self._head_bytes = False, True, 0
        if (trouble := self._find_trouble()) is not None:
            self._fault = RequestError(400, "invalid_request", trouble)
            raise httptools.HttpParserError(trouble)
        super().on_headers_complete()
        # Trailers after a chunked body go nowhere.
        self.headers = _NOTHING_KEPT  # type: ignore[assignment]

    def _find_trouble(self) -> str | None:
        """What makes a whole head one that isn't served, in a sentence."""
        if self.parser.get_http_version() not in _VERSIONS:
            return "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        if not self.parser.should_upgrade():
            return None
        if self._get_upgrade() == b"websocket":
            return "WebSockets aren't served here. Use plain HTTP requests."
        # Any other offer may be ignored (RFC 9110, 7.8); but the parser takes the body for the other
        # protocol's.
        if any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers):
            return "Offer no other protocol (Upgrade: h2c) with a body: use plain HTTP/1.1."
        return None

    def on_message_complete(self) -> None:
        """A request has arrived wholly; the next one's head may follow in the same read."""
        self._in_head, self._in_body = True, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A response has been sent. If its request is still arriving, it was refused: nothing follows."""
        self.on_lost = self.on_writable = None
        self.idle_since = self.loop.time()
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._linger()

    def pause_writing(self) -> None:
        """The client leaves its answer unread; it may do so for a while."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read what it had left."""
        super().resume_writing()
        self._stop_write_timer()
        if self.on_writable is not None:
            self.on_writable()

    def send_400_response(self, msg: str) -> None:
        """Uvicorn's way to refuse what its parser can't take: ours has a body that clients understand."""
        del msg
        self._refuse(self._fault)

    def _refuse(self, fault: RequestError) -> None:
        """Answers without the application, and takes nothing more from this connection."""
        if self._refusing or self.transport.is_closing():
            return
        if not self.is_idle:
            if self.cycle.response_started:  # there is no place for another answer
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_render_response(fault))
        self._linger()

    def _linger(self) -> None:
        """Ends our side, then reads on for a while: closing with bytes unread would destroy the answer."""
        self._refusing = True
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._start_timer(self.limits.linger_s, self.transport.abort)

    def _head_is_late(self) -> None:
        if self._head_bytes:
            self._refuse(
                RequestError(
                    408, "timeout", f"The request's head didn't arrive within {self.limits.header_s:g} s."
                )
            )
        else:
            self.transport.close()

    def _start_timer(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(delay_s, callback)

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def make_protocol(limits: Limits) -> type[GatewayProtocol]:
    """The protocol with these limits."""
    return type("LimitedProtocol", (GatewayProtocol,), {"limits": limits})


def _render_response(fault: RequestError) -> bytes:
    body = fault.render()
    lines = [STATUS_LINE[fault.status], b"connection: close\r\ncontent-length: %d\r\n" % len(body)]
    lines += [b"%s: %s\r\n" % header for header in fault.headers]
    return b"".join([*lines, b"\r\n", body])


def _headers_too_large(limit_bytes: int) -> RequestError:
    return RequestError(
        431, "headers_too_large", f"The request's headers are larger than {limit_bytes // 1024} KiB."
    )
