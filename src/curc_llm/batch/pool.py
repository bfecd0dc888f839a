"""Connections to one session, used again and again."""

from __future__ import annotations

import asyncio
import ssl
import time
from urllib.parse import urlsplit

from curc_llm.batch.wire import LostError, Reply, Wire
from curc_llm.client.secret import Secret
from curc_llm.client.source import root_url

CONNECT_S = 10.0
# The gateway closes idle connections after 75 s (gateway/channel.py), a proxy before it perhaps after a
# minute; ours are given up before, so that none is used in that very moment.
IDLE_LIFE_S = 30.0


class Pool:
    """Connections to one address.

    Args:
        base_url: the endpoint, ending in /v1.
        secret: the key.
        timeout_s: seconds until an answer must be whole.
    """

    def __init__(self, base_url: str, secret: Secret, timeout_s: float) -> None:
        parts = urlsplit(root_url(base_url))
        self.base_url, self.secret = base_url, secret
        self._host = parts.hostname or ""
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {secret.reveal()}\r\nAccept: application/json"
        # People who wait for an answer go first (gateway/priority.py); another server ignores it.
        self._head = f"{head}\r\nUser-Agent: curc-llm-batch\r\nX-Curc-Llm-Priority: batch\r\n"
        self._idle: list[Wire] = []
        self._busy: set[Wire] = set()

    def __repr__(self) -> str:
        return f"Pool({self.base_url!r})"

    async def post(self, url: str, body: bytes) -> Reply:
        """Sends JSON and returns the whole answer.

        Args:
            url: the route, such as `/v1/chat/completions`.
            body: JSON.

        Raises:
            LostError: there is no connection, or it broke, or the time is up.
        """
        head = f"POST {self._prefix}{url} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
        return await self._exchange(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body)

    async def get(self, path: str) -> Reply:
        """GETs a path below the session's address; see `post`."""
        return await self._exchange(
            f"GET {self._prefix}{path} HTTP/1.1\r\n{self._head}\r\n".encode("latin-1")
        )

    def drop_late(self) -> None:
        """Gives up what has been under way for too long; called now and then."""
        late_s = time.monotonic() - self._timeout_s
        for wire in [wire for wire in self._busy if wire.sent_at_s < late_s]:
            wire.abort()

    def close(self) -> None:
        """Closes all connections, and so ends what is under way."""
        for wire in [*self._idle, *self._busy]:
            wire.abort()
        self._idle.clear()

    async def _exchange(self, request: bytes) -> Reply:
        wire = self._take() or await self._connect()
        self._busy.add(wire)
        is_whole = False
        try:
            reply = await wire.send(request)
            is_whole = True
            return reply
        finally:
            self._busy.discard(wire)
            if is_whole and wire.is_open:
                wire.idle_since_s = time.monotonic()
                self._idle.append(wire)
            else:
                wire.abort()

    def _take(self) -> Wire | None:
        """The connection that was used last: it is the least likely to be closed."""
        while self._idle:
            wire = self._idle.pop()
            if wire.is_open and time.monotonic() - wire.idle_since_s < IDLE_LIFE_S:
                return wire
            wire.abort()
        return None

    async def _connect(self) -> Wire:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, wire = await loop.create_connection(
                    lambda: Wire(loop), self._host, self._port, ssl=self._tls
                )
        except (OSError, TimeoutError) as error:
            raise LostError(str(error) or "no connection in time", sent=False) from error
        return wire
