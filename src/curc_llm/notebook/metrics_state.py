"""What the live figures show: pure functions from metrics to plain JSON values, with a short history."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from curc_llm.client.metrics import Latency, Metrics
from curc_llm.notebook.watch import Look

State = dict[str, Any]
# Two minutes of one look a second: enough to see a burst, small enough to send each second.
KEPT = 120
GIB = 2**30


class History:
    """The last two minutes of a few figures.

    Example:
        >>> history = History()
        >>> history.add(Metrics(taken_at=1.0, tokens_per_s=40.0))
        >>> history.make_state()["tokens_per_s"]
        [40.0]
    """

    def __init__(self) -> None:
        self._kept: deque[Metrics] = deque(maxlen=KEPT)

    def add(self, metrics: Metrics) -> None:
        """Keeps one more; the same one is kept once."""
        if not self._kept or self._kept[-1].taken_at != metrics.taken_at:
            self._kept.append(metrics)

    def clear(self) -> None:
        """Forgets everything: another session begins."""
        self._kept.clear()

    @property
    def latest(self) -> Metrics | None:
        """The last one."""
        return self._kept[-1] if self._kept else None

    @property
    def earliest(self) -> Metrics | None:
        """The oldest that is kept."""
        return self._kept[0] if self._kept else None

    def make_state(self) -> State:
        """The curves, oldest first."""
        kept = list(self._kept)
        return {
            "tokens_per_s": [round(m.tokens_per_s, 1) for m in kept],
            "running": [m.running for m in kept],
            "kv_cache": [round(100 * (m.kv_cache_usage or 0.0), 1) for m in kept],
        }


def make_metrics_state(look: Look, history: History, name: str) -> State:
    """What the page shows.

    Args:
        look: the session as it was last seen.
        history: the last two minutes.
        name: what to call the session.
    """
    latest, record = history.latest, look.record
    state: State = {"name": name, "figures": None, "curves": history.make_state(), "quiet": ""}
    if record is not None:
        state["title"] = ", ".join(engine.served_model_name for engine in record.models)
        state["is_over"] = record.status.is_over
    if latest is None or look.metrics is None:
        state["quiet"] = _explain_silence(look)
    if latest is not None:
        is_over = record is not None and record.status.is_over
        now = {"tokens_per_s": None, "running": None, "waiting": None, "kv_cache": None}
        state["figures"] = {**make_figures(latest), **(now if is_over else {})}
    return state


def _explain_silence(look: Look) -> str:
    record = look.record
    if record is not None and record.status.is_over:
        return "The session has ended; these are its last figures."
    if look.trouble is not None:
        return f"{look.trouble.message} {look.trouble.remedy}".strip()
    if record is None or record.base_url is None:
        return "There are figures once the session has started."
    return "The session gives no figures just now; asking again …"


def make_figures(metrics: Metrics) -> State:
    """The latest figures."""
    used, total = metrics.gpu_memory_used_bytes, metrics.gpu_memory_total_bytes
    return {
        "tokens_per_s": round(metrics.tokens_per_s, 1),
        "running": metrics.running,
        "waiting": metrics.waiting,
        "requests": metrics.requests,
        "prompt_tokens": metrics.prompt_tokens,
        "completion_tokens": metrics.completion_tokens,
        "first_token": make_percentiles(metrics.first_token),
        "request": make_percentiles(metrics.request),
        "kv_cache": None if metrics.kv_cache_usage is None else round(100 * metrics.kv_cache_usage, 1),
        "gpu_used_gib": None if used is None else round(used / GIB, 1),
        "gpu_total_gib": None if total is None else round(total / GIB, 1),
    }


def make_percentiles(latency: Latency) -> State:
    """A latency's percentiles in words.

    Example:
        >>> make_percentiles(Latency(0.0523, 1.234, None, 7))
        {'p50': '52 ms', 'p95': '1.2 s', 'p99': '-', 'count': 7}
    """
    words = {p: render_seconds(getattr(latency, f"{p}_s")) for p in ("p50", "p95", "p99")}
    return {**words, "count": latency.count}


def render_seconds(seconds: float | None) -> str:
    """A short duration with a sensible number of digits.

    Example:
        >>> render_seconds(0.0042), render_seconds(0.84), render_seconds(95.2), render_seconds(None)
        ('4 ms', '840 ms', '95 s', '-')
    """
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def render_moment(taken_at: float) -> str:
    """When figures were taken, for a text that stays as it is while the session goes on.

    Args:
        taken_at: Unix time in seconds; told in the machine's own time zone.
    """
    return time.strftime("As of %Y-%m-%d %H:%M:%S %Z", time.localtime(taken_at))


def _render_load(figures: Mapping[str, Any]) -> str:
    if figures["running"] is None:
        return f"{figures['requests']:,} requests answered"
    waiting = f", {figures['waiting']} waiting" if figures["waiting"] is not None else ""
    return f"{figures['tokens_per_s']:g} tokens/s (last 10 s), {figures['running']} running{waiting}"


def render_metrics(state: Mapping[str, Any]) -> str:
    """The figures as text, for places that can't show widgets."""
    figures = state["figures"]
    if figures is None:
        return f"Session {state['name']}: {state['quiet']}"
    first, whole = figures["first_token"], figures["request"]
    lines = [
        f"Session {state['name']}: {_render_load(figures)}",
        f"First token: {first['p50']} (half), {first['p95']} (95 %), {first['p99']} (99 %)",
        f"Whole answers: {whole['p50']} (half), {whole['p95']} (95 %), {whole['p99']} (99 %)",
    ]
    if figures["kv_cache"] is not None:
        lines.append(f"KV cache: {figures['kv_cache']:g} % in use")
    if figures["gpu_used_gib"] is not None:
        lines.append(f"GPU memory: {figures['gpu_used_gib']:g} of {figures['gpu_total_gib']:g} GiB")
    return "\n".join([*lines, *([state["quiet"]] if state["quiet"] else [])])
