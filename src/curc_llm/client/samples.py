"""Prometheus' text format, as far as figures are read from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
# The label that holds the model: the gateway's own counts say `model`, vLLM's `model_name`.
_MODEL_LABELS = ("model", "model_name")


@dataclass(frozen=True)
class Sample:
    """One line: a name, its labels and a value."""

    name: str
    labels: dict[str, str]
    value: float

    @property
    def model(self) -> str | None:
        """The served model name that it belongs to, None for figures of the whole session."""
        return next((self.labels[name] for name in _MODEL_LABELS if name in self.labels), None)


def parse_samples(text: str) -> list[Sample]:
    r"""The samples of a text; lines that aren't any are left out.

    Example:
        >>> parse_samples('# TYPE x gauge\nx{model="a"} 2')
        [Sample(name='x', labels={'model': 'a'}, value=2.0)]
    """
    return [sample for line in text.splitlines() if (sample := _parse_line(line)) is not None]


def _parse_line(line: str) -> Sample | None:
    found = _SAMPLE.match(line.strip())
    if found is None:
        return None
    name, inside, value = found.groups()
    labels = {key: _unescape(text) for key, text in _LABEL.findall(inside or "")}
    try:
        return Sample(name, labels, float(value))
    except ValueError:
        return None


def _unescape(text: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found.group(), found.group()), text)


def find_quantile(buckets: Iterable[tuple[float, float]], share: float) -> float | None:
    """The value below which a share of what was observed lies, as Prometheus' `histogram_quantile` has it.

    Within a bucket the values are taken to be spread evenly
    (https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile).

    Args:
        buckets: upper bound and count of all that lies below it.
        share: 0 to 1.

    Returns:
        None when nothing was observed; the highest finite bound when it lies above all of them.

    Example:
        >>> find_quantile([(1.0, 0), (2.0, 10), (float("inf"), 10)], 0.5)
        1.5
    """
    ordered = sorted(buckets)
    total = ordered[-1][1] if ordered else 0
    if total <= 0:
        return None
    rank, low, below = share * total, 0.0, 0.0
    for bound, count in ordered:
        if count >= rank and count > below:
            return low if math.isinf(bound) else low + (bound - low) * (rank - below) / (count - below)
        low, below = (low if math.isinf(bound) else bound), count
    return low
