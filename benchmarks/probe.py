"""Small questions to a server at `tcp:PORT` or `unix:PATH`, with nothing between that could be slow."""

from __future__ import annotations

import json
import re
import socket
import time

TOKEN = re.compile(rb'"content":"[^"]')


def connect(target: str) -> socket.socket:
    """An open connection; raises OSError when nobody listens."""
    kind, _, address = target.partition(":")
    connection = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
    try:
        connection.settimeout(60)
        connection.connect(address if kind == "unix" else ("127.0.0.1", int(address)))
    except OSError:
        connection.close()
        raise
    return connection


def get_status(target: str, path: str = "/health") -> int | None:
    """The status that a GET is answered with; None when nobody answers."""
    try:
        with connect(target) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n".encode())
            words = connection.recv(64).split(b" ")
    except OSError:
        return None
    return int(words[1]) if len(words) > 1 else None


def wait_for_first_token(target: str, model: str, key: str) -> None:
    """Asks for a streamed answer and returns when its first token is there.

    Raises:
        RuntimeError: the server answered something else.
    """
    body = json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": "How do I start a session?"}],
            "max_tokens": 16,
            "stream": True,
        }
    )
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: local\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    seen = b""
    with connect(target) as connection:
        connection.sendall((head + body).encode())
        while not TOKEN.search(seen):
            data = connection.recv(65536)
            seen += data
            if not data or not b"HTTP/1.1 200".startswith(seen[:12]):
                raise RuntimeError(f"No token, but: {seen.decode(errors='replace')[:500]}")


def wait_for_status(target: str, wanted: int | None, limit_s: float, pause_s: float) -> None:
    """Waits until /health answers with a status (any, when None is wanted).

    Raises:
        TimeoutError: it didn't within `limit_s`.
    """
    end = time.monotonic() + limit_s
    while (status := get_status(target)) is None or (wanted is not None and status != wanted):
        if time.monotonic() > end:
            raise TimeoutError(f"/health said {status} for {limit_s} s")
        time.sleep(pause_s)
