"""How busy a session is: one snapshot of all its figures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from curc_llm.client.samples import Sample, find_quantile, parse_samples
from curc_llm.client.secret import Secret
from curc_llm.client.wire import HTTP_OK, get_json, get_text
from curc_llm.errors import ApiError

Buckets = Mapping[float, float]


@dataclass(frozen=True)
class Latency:
    """How long something took, in seconds; None while nothing was measured.

    Estimated from the histogram's buckets, so a value is as exact as its bucket is narrow.

    Args:
        p50_s, p95_s, p99_s: half, 95 % and 99 % of all took no longer.
        count: how many were measured.
    """

    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    count: int = 0


@dataclass(frozen=True)
class Metrics:
    """A session's figures at one moment; `None` is what this session doesn't tell.

    Args:
        taken_at: Unix time in seconds.
        running: requests that are being answered.
        waiting: of these, how many wait for room in the engine.
        requests: requests answered since the session's start.
        tokens_per_s: tokens written per second, over the last ten seconds.
        prompt_tokens, completion_tokens: tokens read and written since the session's start.
        first_token: time until an answer's first token.
        request: time of whole requests.
        kv_cache_usage: 0 to 1, of the fullest engine.
        gpu_memory_used_bytes, gpu_memory_total_bytes: of all the session's GPUs together.
        buckets: the histograms as they came, by name, for `since`.

    Example:
        >>> before = session.metrics()                 # doctest: +SKIP
        >>> session.chat("Hello")                      # doctest: +SKIP
        >>> session.metrics().since(before).request    # doctest: +SKIP
    """

    taken_at: float
    running: int = 0
    waiting: int | None = None
    requests: int = 0
    tokens_per_s: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token: Latency = Latency()
    request: Latency = Latency()
    kv_cache_usage: float | None = None
    gpu_memory_used_bytes: int | None = None
    gpu_memory_total_bytes: int | None = None
    buckets: Mapping[str, Buckets] = field(default_factory=dict, repr=False)

    def since(self, earlier: Metrics) -> Metrics:
        """What happened between two snapshots: counts, times and tokens per second of that time alone.

        A gateway that started again counts from zero; then all its counts are new.
        """
        before = earlier if earlier.requests <= self.requests else Metrics(earlier.taken_at)
        buckets = {name: _subtract(now, before.buckets.get(name, {})) for name, now in self.buckets.items()}
        passed_s = max(self.taken_at - earlier.taken_at, 1e-9)
        written = self.completion_tokens - before.completion_tokens
        return replace(
            self,
            requests=self.requests - before.requests,
            prompt_tokens=self.prompt_tokens - before.prompt_tokens,
            completion_tokens=written,
            tokens_per_s=max(0.0, written / passed_s),
            first_token=make_latency(buckets.get(TTFT, {})),
            request=make_latency(buckets.get(WHOLE, {})),
            buckets=buckets,
        )


TTFT = "curc_llm_first_token_seconds"
WHOLE = "curc_llm_request_seconds"


def fetch_metrics(root: str, secret: Secret, model: str | None = None) -> Metrics:
    """Asks a session for its figures.

    Args:
        root: its address, without /v1.
        secret: its key.
        model: only this model's figures; None for all together.

    Raises:
        ApiError: it can't be reached, or refuses the key.
    """
    try:
        code, status = get_json(f"{root}/status", secret)
        exposition = get_text(f"{root}/metrics", secret)
    except OSError as error:
        raise ApiError(
            f"Nothing answers at {root}: {error}.", "Is the session up, and the tunnel open?"
        ) from None
    if code != HTTP_OK:
        raise ApiError(f"{root} refuses to tell its figures (HTTP {code}).", "Is the key right?", status=code)
    return make_metrics(status, exposition, model)


def make_metrics(
    status: Mapping[str, Any], exposition: str, model: str | None = None, now: float | None = None
) -> Metrics:
    """Figures from what a session's `/status` and `/metrics` say.

    Args:
        status: the JSON of `/status`.
        exposition: the text of `/metrics`; empty when it doesn't answer.
        model: only this model's figures, by its served model name; None for all together.
        now: Unix time in seconds; the clock's when not given.
    """
    gateway: Mapping[str, Any] = status.get("gateway") or {}
    samples = [s for s in parse_samples(exposition) if model is None or s.model in {None, model}]
    buckets = {name: _collect_buckets(samples, name) for name in (TTFT, WHOLE)}
    return Metrics(
        taken_at=time.time() if now is None else now,
        running=int(gateway.get("running") or 0),
        waiting=_count_waiting(samples),
        requests=int(_total(samples, "curc_llm_requests_total") or 0),
        tokens_per_s=float(gateway.get("tokens_per_s") or 0.0),
        prompt_tokens=int(_total(samples, "curc_llm_prompt_tokens_total") or 0),
        completion_tokens=int(_total(samples, "curc_llm_completion_tokens_total") or 0),
        first_token=make_latency(buckets[TTFT]),
        request=make_latency(buckets[WHOLE]),
        kv_cache_usage=max((s.value for s in _named(samples, "vllm:kv_cache_usage_perc")), default=None),
        gpu_memory_used_bytes=_whole(_total(samples, "curc_llm_gpu_memory_used_bytes")),
        gpu_memory_total_bytes=_whole(_total(samples, "curc_llm_gpu_memory_total_bytes")),
        buckets=buckets,
    )


def make_latency(buckets: Buckets) -> Latency:
    """Percentiles of one histogram."""
    pairs = sorted(buckets.items())
    p50, p95, p99 = (find_quantile(pairs, share) for share in (0.5, 0.95, 0.99))
    return Latency(p50, p95, p99, int(pairs[-1][1]) if pairs else 0)


def _collect_buckets(samples: Iterable[Sample], name: str) -> dict[float, float]:
    """A histogram over all its labels: counts by upper bound."""
    found: dict[float, float] = {}
    for sample in _named(samples, f"{name}_bucket"):
        bound = float(sample.labels.get("le", "inf"))
        found[bound] = found.get(bound, 0) + sample.value
    return found


def _subtract(now: Buckets, before: Buckets) -> dict[float, float]:
    return {bound: count - before.get(bound, 0) for bound, count in now.items()}


def _named(samples: Iterable[Sample], name: str) -> list[Sample]:
    return [sample for sample in samples if sample.name == name]


def _total(samples: Iterable[Sample], name: str) -> float | None:
    found = _named(samples, name)
    return sum(sample.value for sample in found) if found else None


def _count_waiting(samples: Iterable[Sample]) -> int | None:
    """Requests that wait for room, in the gateway and in the engines."""
    found = (_total(samples, "curc_llm_requests_waiting"), _total(samples, "vllm:num_requests_waiting"))
    known = [count for count in found if count is not None]
    return round(sum(known)) if known else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
