"""The gateway's counts and the engines' own metrics, as Prometheus reads them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from curc_llm.gateway.metrics import BUCKETS_S, Distribution, Metrics
from curc_llm.gateway.replica import Replica
from curc_llm.gateway.upstream import Pool, UpstreamError

_ENGINE_REQUEST = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
_FAMILY = re.compile(r"^# (?:HELP|TYPE) (\S+)")
# The engine's own names; what its Python tells of itself would clash with a second engine's.
_ENGINE_PREFIX = "vllm:"


async def render_metrics(metrics: Metrics, engines: list[Replica], timeout_s: float) -> bytes:
    """The gateway's counts, then those of the engines that answer, in Prometheus' text format.

    Args:
        metrics: the gateway's.
        engines: all engines; those that aren't ready are left out.
        timeout_s: seconds each engine has.
    """
    texts = await asyncio.gather(
        *(_fetch(engine.pool, timeout_s) for engine in engines if engine.is_ready and not engine.is_remote)
    )
    registry = CollectorRegistry()
    registry.register(_GatewayCollector(metrics))
    own: bytes = generate_latest(registry)
    return own + merge_families(texts).encode()


class _GatewayCollector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        metrics = self._metrics
        labels = ["route", "model", "status"]
        requests = CounterMetricFamily("curc_llm_requests", "Requests answered.", labels=labels)
        for (route, model, status), count in metrics.requests.items():
            requests.add_metric([route, model, str(status)], count)
        yield requests
        for name, text, tokens in (
            ("curc_llm_prompt_tokens", "Tokens of prompts.", metrics.prompt_tokens),
            ("curc_llm_completion_tokens", "Tokens generated.", metrics.completion_tokens),
        ):
            family = CounterMetricFamily(name, text, labels=["model"])
            for model, count in tokens.items():
                family.add_metric([model], count)
            yield family
        yield from _collect_people(metrics)
        failures = "Attempts to get in that failed."
        yield CounterMetricFamily("curc_llm_auth_failures", failures, value=metrics.auth_failures)
        yield GaugeMetricFamily("curc_llm_requests_running", "Requests under way.", value=metrics.running)
        yield _histogram("curc_llm_request_seconds", "Time of whole requests.", metrics.request_seconds)
        first = "Time until an answer's first bytes."
        yield _histogram("curc_llm_first_token_seconds", first, metrics.first_token_seconds)


def _collect_people(metrics: Metrics) -> Iterator[Metric]:
    """Use by key: who was it."""
    for name, text in (
        ("requests", "Requests answered, by key."),
        ("prompt_tokens", "Tokens of prompts, by key."),
        ("completion_tokens", "Tokens generated, by key."),
    ):
        family = CounterMetricFamily(f"curc_llm_key_{name}", text, labels=["key"])
        for key, person in metrics.people.items():
            family.add_metric([key], getattr(person, name))
        yield family


def _histogram(name: str, text: str, distributions: dict[str, Distribution]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=["model"])
    for model, distribution in distributions.items():
        family.add_metric([model], list(_buckets(distribution.counts)), distribution.sum_s)
    return family


def _buckets(counts: Iterable[int]) -> Iterator[tuple[str, float]]:
    """Counts below each bound, as the format wants them: each includes those before."""
    total = 0
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), counts, strict=True):
        total += count
        yield bound, total


async def _fetch(pool: Pool, timeout_s: float) -> str:
    try:
        async with asyncio.timeout(timeout_s):
            return await _read_text(pool)
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
