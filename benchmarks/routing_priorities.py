"""How long a person waits for a first token while batch work takes all of one real vLLM."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quiet import Bystanders

SLOTS = 32
BATCH_STREAMS = 64
BATCH_TOKENS = 128
INTERACTIVE_TOKENS = 8
EVERY_S = 0.25


@dataclass(frozen=True)
class Place:
    """Where requests go.

    Args:
        address: a port of loopback, or the path of a unix socket.
        key: sent as a bearer's; empty for none.
        interactive, batch: further fields of a request's body, by its class.
        batch_headers: further headers of batch requests.
    """

    address: int | Path
    key: str
    model: str
    interactive: dict[str, Any]
    batch: dict[str, Any]
    batch_headers: str = ""


async def measure(place: Place, seconds: float, *, is_loaded: bool) -> dict[str, Any]:
    """First-token times of a request every quarter of a second; and tokens/s of the batch work beside it."""
    stop, others = asyncio.Event(), Bystanders()
    counts = [0]
    batch = [
        asyncio.create_task(_keep_asking(place, stop, counts))
        for _ in range(BATCH_STREAMS if is_loaded else 0)
    ]
    await asyncio.sleep(6 if is_loaded else 0.5)
    before, began = counts[0], time.perf_counter()
    people = []
    while time.perf_counter() - began < seconds:
        people.append(asyncio.create_task(_ask(place)))
        await asyncio.sleep(EVERY_S)
    took_s, made = time.perf_counter() - began, counts[0] - before
    times = sorted(1000 * first for first in await asyncio.gather(*people))
    stop.set()
    for task in batch:
        task.cancel()
    await asyncio.gather(*batch, return_exceptions=True)
    return {
        "first_ms": {
            "p50": times[len(times) // 2],
            "p95": times[int(len(times) * 0.95)],
            "count": len(times),
        },
        "batch_tokens_per_s": round(made / took_s, 1),
        "others_cores": round(others.cores(), 2),
    }


async def _keep_asking(place: Place, stop: asyncio.Event, counts: list[int]) -> None:
    while not stop.is_set():
        tokens = await _ask_batch(place)
        counts[0] += tokens


def _render(place: Place, tokens: int, headers: str, fields: dict[str, Any]) -> bytes:
    body = json.dumps(
        {
            "model": place.model,
            "messages": [{"role": "user", "content": f"Tell me of {time.perf_counter_ns()}."}],
            "max_tokens": tokens,
            "ignore_eos": True,
            **fields,
        }
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n"
        "content-type: application/json\r\n"
        f"authorization: Bearer {place.key}\r\n{headers}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _open(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(place.address, int):
        return await asyncio.open_connection("127.0.0.1", place.address)
    return await asyncio.open_unix_connection(place.address)


async def _ask_batch(place: Place) -> int:
    """One whole answer, not streamed, as batch work asks for it; its tokens."""
    reader, writer = await _open(place)
    try:
        writer.write(_render(place, BATCH_TOKENS, place.batch_headers, place.batch))
        answered = await reader.read()
        if b" 200 " not in answered[:20]:
            raise RuntimeError(f"A batch request failed: {answered[-300:]!r}")
        return BATCH_TOKENS
    finally:
        writer.close()


async def _ask(place: Place) -> float:
    """One stream: seconds to its first token."""
    began = time.perf_counter()
    reader, writer = await _open(place)
    try:
        writer.write(_render(place, INTERACTIVE_TOKENS, "", {"stream": True, **place.interactive}))
        first = float("nan")
        while line := await reader.readline():
            if b'"content":"' in line and first != first:
                first = time.perf_counter() - began
        if first != first:
            raise RuntimeError("An answer had no token; is the engine up?")
        return first
    finally:
        writer.close()
