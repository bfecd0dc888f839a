"""The gateway's counts and the engines' own metrics, as Prometheus reads them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from curc_llm.gateway.admission import Admission
from curc_llm.gateway.metrics import BUCKETS_S, Distribution, Metrics
from curc_llm.gateway.replica import Replica
from curc_llm.gateway.upstream import Pool, UpstreamError

_ENGINE_REQUEST = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
_FAMILY = re.compile(r"^# (?:HELP|TYPE) (\S+)")
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(\{| )")
# The engine's own names; what its Python tells of itself would clash with a second engine's.
_ENGINE_PREFIX = "vllm:"


async def render_metrics(
    metrics: Metrics, admission: Admission, engines: list[Replica], timeout_s: float
) -> bytes:
    """The gateway's counts, then those of the engines that answer, in Prometheus' text format.

    Args:
        metrics: the gateway's.
        admission: knows who waits, and how replicas are doing.
        engines: all engines; those that aren't ready are left out, and those of other jobs.
        timeout_s: seconds each engine has.
    """
    asked = [engine for engine in engines if engine.is_ready and not engine.is_remote]
    texts = await asyncio.gather(*(_fetch(engine.pool, timeout_s) for engine in asked))
    names = Counter(engine.name for engine in asked)
    texts = [
        add_label(text, "replica", engine.id) if names[engine.name] > 1 else text
        for engine, text in zip(asked, texts, strict=True)
    ]
    registry = CollectorRegistry()
    registry.register(_GatewayCollector(metrics))
    registry.register(_QueueCollector(metrics, admission))
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


class _QueueCollector(Collector):
    def __init__(self, metrics: Metrics, admission: Admission) -> None:
        self._metrics = metrics
        self._admission = admission

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "curc_llm_requests_waiting", "Requests that wait for a slot of an engine.", labels=["priority"]
        )
        for priority, count in self._admission.render_waiting().items():
            waiting.add_metric([priority], count)
        yield waiting
        text = "Time that requests waited for a slot."
        yield _histogram("curc_llm_queue_seconds", text, self._metrics.queue_seconds, label="priority")
        retries = CounterMetricFamily(
            "curc_llm_retries", "Requests sent again to another replica.", labels=["model"]
        )
        for model, count in self._metrics.retries.items():
            retries.add_metric([model], count)
        yield retries
        yield from self._collect_replicas()

    def _collect_replicas(self) -> Iterator[Metric]:
        for name, key, text in (
            ("healthy", "is_healthy", "Whether a replica is asked: 1 or 0."),
            ("running", "running", "Sequences that a replica works on for this gateway."),
            ("outstanding_tokens", "tokens", "Estimated tokens that a replica still has to do."),
        ):
            family = GaugeMetricFamily(f"curc_llm_replica_{name}", text, labels=["model", "replica"])
            for replica in self._admission.list_replicas():
                family.add_metric([replica["model"], replica["id"]], float(replica[key]))
            yield family


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


def _histogram(
    name: str, text: str, distributions: dict[str, Distribution], label: str = "model"
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=[label])
    for value, distribution in distributions.items():
        family.add_metric([value], list(_buckets(distribution.counts)), distribution.sum_s)
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


def add_label(text: str, name: str, value: str) -> str:
    r"""Metrics with one more label on each line: without it those of two replicas would be the same series.

    Example:
        >>> add_label('# TYPE vllm:x counter\nvllm:x{m="a"} 1\nvllm:y 2', "replica", "a@2")
        '# TYPE vllm:x counter\nvllm:x{replica="a@2",m="a"} 1\nvllm:y{replica="a@2"} 2'
    """
    label = f'{name}="{value}"'
    return "\n".join(
        line if line.startswith("#") else _SAMPLE.sub(lambda m: _put_label(m, label), line, count=1)
        for line in text.splitlines()
    )


def _put_label(found: re.Match[str], label: str) -> str:
    return f"{found[1]}{{{label}," if found[2] == "{" else f"{found[1]}{{{label}}} "


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
