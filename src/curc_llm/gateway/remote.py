"""Connections to an engine in another job: through that job's gateway, with a key of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from curc_llm.errors import KeyFileError
from curc_llm.gateway.channel import EngineTarget
from curc_llm.gateway.upstream import Connection, Pool, UpstreamError
from curc_llm.session.keys import read_secret_file

HOPS_HEADER = b"x-curc-llm-hops"
# A node that is gone, or whose network is cut, is noticed within about 15 s of silence (tcp(7)).
_KEEP_ALIVE = (("TCP_KEEPIDLE", 6), ("TCP_KEEPINTVL", 3), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 15_000))
# A key that is changed counts within a second.
_REREAD_S = 1.0


class RemotePool(Pool):
    """Connections to another gateway.

    Args:
        url: its address, without `/v1`.
        key_file: file with the key, which nobody else may read.
        connect_s: seconds until a connection must be made.
    """

    def __init__(self, url: str, key_file: str, connect_s: float) -> None:
        super().__init__(url, connect_s)
        self._url: SplitResult = urlsplit(url)
        self._key_file = Path(key_file) if key_file else None
        self._key = ""
        self._read_at = float("-inf")

    @property
    def prefix(self) -> bytes:
        """What stands in front of each path."""
        return self._url.path.rstrip("/").encode()

    def render_headers(self, hops: int) -> bytes:
        """Host, key, and how many gateways the request will have come through.

        Raises:
            UpstreamError: the key can't be read.
        """
        lines = [b"host: " + self._url.netloc.encode(), b"%s: %d" % (HOPS_HEADER, hops + 1)]
        if self._key_file is not None:
            lines.append(b"authorization: Bearer " + self._read_key(self._key_file).encode())
        return b"".join(line + b"\r\n" for line in lines)

    def _read_key(self, path: Path) -> str:
        now = time.monotonic()
        if now - self._read_at >= _REREAD_S:
            try:
                self._key = read_secret_file(path)
            except KeyFileError as error:
                raise UpstreamError(f"its key can't be used: {error.message}", connected=False) from error
            self._read_at = now
        return self._key

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Connection:
        tls = ssl.create_default_context() if self._url.scheme == "https" else None
        port = self._url.port or (443 if tls else 80)
        transport, connection = await loop.create_connection(
            lambda: Connection(loop), self._url.hostname or "", port, ssl=tls
        )
        _notice_silence(transport.get_extra_info("socket"))
        return connection


def _notice_silence(end: socket.socket | None) -> None:
    if end is None:
        return
    with contextlib.suppress(OSError, AttributeError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            end.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def make_pool(target: EngineTarget, connect_s: float) -> Pool:
    """The connections to an engine: by its unix socket in this job, else through the other job's gateway."""
    return (
        RemotePool(target.url, target.key_file, connect_s) if target.url else Pool(target.socket, connect_s)
    )
