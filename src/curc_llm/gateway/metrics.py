"""Figures of the gateway, as /metrics (Prometheus) and /status tell them."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from curc_llm.gateway.accesslog import Entry
from curc_llm.gateway.generation import Caretaker
from curc_llm.gateway.live import READY, Engine
from curc_llm.gateway.speed import Speedometer
from curc_llm.gateway.upstream import Pool, UpstreamError

_ENGINE_REQUEST = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
_FAMILY = re.compile(r"^# (?:HELP|TYPE) (\S+)")
# The engine's own names; what its Python tells of itself would clash with a second engine's.
_ENGINE_PREFIX = "vllm:"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """Counts requests and tokens.

    Args:
        caretaker: knows the generations that run.
        timeout_s: seconds an engine has to give its own metrics.
    """

    def __init__(self, caretaker: Caretaker, timeout_s: float) -> None:
        self._caretaker = caretaker
        self._timeout_s = timeout_s
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests answered.", "route", "model", "status")
        self._prompt = self._counter("prompt_tokens", "Tokens of prompts.", "model")
        self._completion = self._counter("completion_tokens", "Tokens generated.", "model")
        self._failures = self._counter("auth_failures", "Attempts to get in that failed.")
        self._seconds = self._histogram("request_seconds", "Time of whole requests.")
        self._first = self._histogram("first_token_seconds", "Time until an answer's first bytes.")
        running = Gauge("curc_llm_requests_running", "Requests under way.", registry=self._registry)
        running.set_function(lambda: len(caretaker.active))
        self._children: dict[tuple[Any, ...], Any] = {}
        self._num_requests = 0
        self._tokens = 0
        self._speed = Speedometer()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"curc_llm_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(f"curc_llm_{name}", text, ("model",), buckets=_SECONDS, registry=self._registry)

    def record(self, entry: Entry) -> None:
        """Counts a request that has ended."""
        model = entry.model or ""
        self._child(self._requests, entry.route, model, entry.status).inc()
        self._child(self._seconds, model).observe(entry.total_s)
        if entry.first_token_s is not None:
            self._child(self._first, model).observe(entry.first_token_s)
        self._child(self._prompt, model).inc(entry.usage.prompt_tokens or 0)
        self._child(self._completion, model).inc(entry.usage.completion_tokens or 0)
        self._num_requests += 1
        self._tokens += entry.usage.completion_tokens or 0

    def _child(self, metric: Any, *labels: str | int) -> Any:
        """The metric with its labels, found without the lock of prometheus_client, which is dear."""
        key = (metric, *labels)
        if (child := self._children.get(key)) is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def record_failure(self) -> None:
        """Counts a failed attempt to get in."""
        self._failures.inc()

    def sample(self) -> None:
        """Notes the tokens that there are now; called about once a second while something runs."""
        self._speed.sample(time.monotonic(), self._total_tokens())

    def _total_tokens(self) -> int:
        return self._tokens + sum(generation.num_events for generation in self._caretaker.active)

    def figures(self) -> dict[str, Any]:
        """The figures for /status."""
        total = self._total_tokens()
        return {
            "running": len(self._caretaker.active),
            "requests": self._num_requests,
            "tokens_generated": total,
            "tokens_per_s": self._speed.rate(time.monotonic(), total),
        }

    async def render(self, engines: list[Engine]) -> bytes:
        """The gateway's figures, then those of the engines that answer, in Prometheus' text format."""
        texts = await asyncio.gather(*(self._fetch(e) for e in engines if e.target.phase == READY))
        own: bytes = generate_latest(self._registry)
        return own + merge_families(texts).encode()

    async def _fetch(self, engine: Engine) -> str:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await _read_text(engine.pool)
        except (UpstreamError, TimeoutError):
            return ""


async def _read_text(pool: Pool) -> str:
    connection = await pool.request(_ENGINE_REQUEST)
    status, parts = connection.status, []
    try:
        while data := await connection.read():
            parts.append(data)
    finally:
        pool.give_back(connection)
    return b"".join(parts).decode("utf-8", "replace") if status == 200 else ""


def merge_families(texts: list[str]) -> str:
    r"""Several engines' metrics as one text, each family once, as the format wants it.

    Example:
        >>> merge_families(['# TYPE vllm:x counter\nvllm:x{m="a"} 1', 'vllm:y 2'])
        '# TYPE vllm:x counter\nvllm:x{m="a"} 1\n'
    """
    families: dict[str, dict[str, None]] = {}
    for text in texts:
        name = ""
        for line in text.splitlines():
            if found := _FAMILY.match(line):
                name = found.group(1)
            if name.startswith(_ENGINE_PREFIX):
                families.setdefault(name, {}).setdefault(line)
    lines = [line for family in families.values() for line in family]
    return "\n".join(lines) + "\n" if lines else ""
