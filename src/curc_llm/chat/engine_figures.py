"""How busy the engines are: asked of the gateway at most every few seconds, however many pages look."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass

from curc_llm.chat.gateway_client import GatewayClient, GatewayError

MAX_AGE_S = 4.0
_GAUGE = re.compile(
    r"^(?:vllm:num_|vllm:|curc_llm_)(requests_waiting|kv_cache_usage_perc)(?:\{[^}]*\})? ([0-9.e+-]+)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class EngineFigures:
    """How busy the engines are; None is what they don't tell.

    Args:
        waiting: requests that wait for room.
        kv_cache_usage: 0 to 1, of the fullest engine.
    """

    waiting: int | None = None
    kv_cache_usage: float | None = None


def parse_figures(text: str) -> EngineFigures:
    """Reads the gauges from metrics as Prometheus has them; requests wait in the gateway and in vLLM.

    Example:
        >>> parse_figures('vllm:num_requests_waiting{engine="0"} 3.0')
        EngineFigures(waiting=3, kv_cache_usage=None)
    """
    found: dict[str, list[float]] = {}
    for name, value in _GAUGE.findall(text):
        found.setdefault(name, []).append(float(value))
    waiting, usage = found.get("requests_waiting"), found.get("kv_cache_usage_perc")
    return EngineFigures(int(sum(waiting)) if waiting else None, max(usage) if usage else None)


class EngineFiguresWatch:
    """Asks for them, and remembers them.

    Args:
        client: the gateway.
    """

    def __init__(self, client: GatewayClient) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._figures = EngineFigures()
        self._asked_at = float("-inf")

    async def look(self, user: str) -> EngineFigures:
        """The figures as they were a few seconds ago at most."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= MAX_AGE_S:
                self._asked_at = time.monotonic()
                try:
                    self._figures = parse_figures(await self._client.load_metrics(user))
                except GatewayError:
                    self._figures = EngineFigures()
            return self._figures
