"""From a logged-in browser to the chat and back: streamed both ways, identifying nobody but by name."""

from __future__ import annotations

import asyncio

from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.exchange import DROPPED_HEADERS, pass_headers
from curc_llm.gateway.guests import GuestWatch
from curc_llm.gateway.live import LiveSession
from curc_llm.gateway.pages import answer_page
from curc_llm.gateway.request import Request
from curc_llm.gateway.upstream import Connection, Pool, UpstreamError

_STARTING = RequestError(
    503, "chat_starting", "The chat is starting. Try again in a few seconds.", retry_after_s=3
)
# Who asks is told by our own header alone. Nothing that could let in, nor what the portal says, reaches the
# chat.
_WITHHELD = DROPPED_HEADERS | {
    b"cookie",
    b"authorization",
    b"x-api-key",
    b"content-length",
    b"expect",
    b"accept-encoding",
    b"x-curc-llm-user",
    b"x-curc-llm-prefix",
}


class ChatRelay:
    """Relays pages, uploads and streams of the chat.

    Args:
        live: knows the chat's socket.
        max_body_bytes: largest upload.
        watch: ends what runs for guests whose share is over.
    """

    def __init__(self, live: LiveSession, max_body_bytes: int, watch: GuestWatch) -> None:
        self._live = live
        self._watch = watch
        self._max_body_bytes = max_body_bytes

    async def relay(self, request: Request, visitor: Caller) -> None:
        """Answers one request with the chat's answer.

        Raises:
            RequestError: the chat doesn't answer, or the upload is too large.
        """
        if ".." in request.path.split("/") or "\\" in request.path:
            raise RequestError(400, "invalid_request", "Paths can't hold `..` or a backslash.")
        pool = self._live.chat_pool
        if pool is None:
            await self._answer_trouble(request, UpstreamError("it isn't there yet", connected=False))
            return
        try:
            await self._exchange(request, visitor, pool)
        except UpstreamError as error:
            await self._answer_trouble(request, error)

    async def _answer_trouble(self, request: Request, error: UpstreamError) -> None:
        if request.started:
            request.connection.transport.close()
        elif request.wants_html:
            path = request.prefix + "/status"
            await answer_page(request, 503, "starting", [(b"retry-after", b"3")], status_path=path)
        elif error.connected:
            raise RequestError(
                502, "chat_failed", f"The chat stopped: {error}. It is restarted; reload the page."
            )
        else:
            raise _STARTING

    async def _exchange(self, request: Request, visitor: Caller, pool: Pool) -> None:
        has_body = b"content-length" in request.headers or b"transfer-encoding" in request.headers
        head = self._render_head(request, visitor, has_body=has_body)
        connection = await (pool.open_stream(head) if has_body else pool.request(head))
        request.connection.on_lost = connection.abort
        try:
            with self._watch.hold(visitor, connection.abort):
                if has_body:
                    await self._answer_upload(request, connection)
                else:
                    await _answer(request, connection)
        finally:
            request.connection.on_lost = None
            pool.give_back(connection)

    def _render_head(self, request: Request, visitor: Caller, *, has_body: bool) -> bytes:
        target = request.raw_path.encode() + (b"?" + request.query if request.query else b"")
        lines = [f"{request.method} ".encode(), target, b" HTTP/1.1\r\n"]
        for name, value in request.header_list:
            if name not in _WITHHELD and not name.startswith(b"x-forwarded-"):
                lines.append(b"%s: %s\r\n" % (name, value))
        lines.append(f"x-curc-llm-user: {visitor.name}\r\nx-curc-llm-prefix: {request.prefix}\r\n".encode())
        lines.append(b"transfer-encoding: chunked\r\n\r\n" if has_body else b"\r\n")
        return b"".join(lines)

    async def _answer_upload(self, request: Request, connection: Connection) -> None:
        """Sends the body on while it comes; the chat may answer before it has read all of it."""
        sending = asyncio.ensure_future(self._send_body(request, connection))
        answering = asyncio.ensure_future(connection.wait_head())
        try:
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            await answering
            await _answer(request, connection)
        finally:
            sending.cancel()
            answering.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)

    async def _send_body(self, request: Request, connection: Connection) -> None:
        if int(request.headers.get(b"content-length", b"0")) > self._max_body_bytes:
            raise request.too_large(self._max_body_bytes)
        more, size = True, 0
        while more:
            data, more = await request.receive_chunk()
            size += len(data)
            if size > self._max_body_bytes:
                raise request.too_large(self._max_body_bytes)
            if data:
                connection.write(b"%x\r\n%s\r\n" % (len(data), data))
                await connection.drain()
        connection.write(b"0\r\n\r\n")


async def _answer(request: Request, connection: Connection) -> None:
    await connection.wait_head()
    headers = [(n, v) for n, v in pass_headers(connection.headers) if n != b"set-cookie"]
    await request.start(connection.status, headers)
    if request.method == "HEAD" or connection.status in {204, 304}:
        await request.write(b"", more=False)
        connection.abort()
        return
    while (data := await connection.read()) != b"":
        if data:
            await request.write(data)
    await request.write(b"", more=False)
