"""Asking an engine over its unix socket whether it can answer. This, not the log, decides readiness."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httptools

HEALTH_TIMEOUT_S = 5.0
# The first token of a big model may wait for code that is compiled on first use.
COMPLETION_TIMEOUT_S = 300.0
MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True)
class EngineAnswer:
    """What an engine answered: HTTP status (0 when it gave none) and body."""

    status: int
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON, None when it isn't."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


async def check_health(socket: Path, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
    """True when the engine says that it is alive (`GET /health` answers 200).

    Args:
        socket: the engine's unix socket.
        timeout_s: seconds to wait; no answer by then counts as no.
    """
    return (await ask(socket, "GET", "/health", timeout_s=timeout_s)).status == 200


async def check_completion(
    socket: Path,
    served_model_name: str,
    runner: str = "generate",
    *,
    timeout_s: float = COMPLETION_TIMEOUT_S,
) -> bool:
    """True when the engine makes one token, or one embedding where `runner` is `pooling`."""
    if runner == "pooling":
        path, payload = "/v1/embeddings", {"model": served_model_name, "input": "ready?"}
    else:
        path = "/v1/completions"
        payload = {"model": served_model_name, "prompt": "ready?", "max_tokens": 1, "temperature": 0}  # type: ignore[dict-item]
    answer = await ask(socket, "POST", path, payload, timeout_s=timeout_s)
    content = answer.json()
    made = content.get("data" if runner == "pooling" else "choices") if isinstance(content, dict) else None
    return answer.status == 200 and bool(made)


async def read_models(socket: Path, *, timeout_s: float = HEALTH_TIMEOUT_S) -> list[dict[str, Any]]:
    """What the engine serves, as `GET /v1/models` lists it (`id`, `max_model_len` …); else empty."""
    answer = await ask(socket, "GET", "/v1/models", timeout_s=timeout_s)
    content = answer.json()
    data = content.get("data") if answer.status == 200 and isinstance(content, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


async def read_context_length(socket: Path, *, timeout_s: float = HEALTH_TIMEOUT_S) -> int | None:
    """The context in tokens that the engine chose, None when it doesn't say."""
    lengths = [entry.get("max_model_len") for entry in await read_models(socket, timeout_s=timeout_s)]
    return next((length for length in lengths if isinstance(length, int)), None)


async def ask(
    socket: Path, method: str, path: str, payload: dict[str, Any] | None = None, *, timeout_s: float
) -> EngineAnswer:
    """Sends one request over a new connection; any failure is an answer with status 0."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(_render_request(method, path, payload))
                return await _read_answer(reader)
            finally:
                writer.close()
    except (OSError, TimeoutError, httptools.HttpParserError):
        return EngineAnswer(0)


def _render_request(method: str, path: str, payload: dict[str, Any] | None) -> bytes:
    body = b"" if payload is None else json.dumps(payload).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Collector:
    """Gathers what httptools finds in an answer."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


async def _read_answer(reader: asyncio.StreamReader) -> EngineAnswer:
    found = _Collector()
    parser = httptools.HttpResponseParser(found)
    while not found.complete and len(found.body) <= MAX_ANSWER_BYTES:
        data = await reader.read(65536)
        if not data:
            return EngineAnswer(0)
        parser.feed_data(data)
    return EngineAnswer(parser.get_status_code(), bytes(found.body))
