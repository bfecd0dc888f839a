"""The arithmetic of a comparison: medians with their range, values paired with the same repeat's baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Summary:
    """Median of a few repeats, with the smallest and the largest.

    Args:
        median, low, high: of the repeats.
        is_disturbed: others used the machine in all of them; marked with a star.
        counted, measured: repeats that the figure is drawn from, and all that there are.
        of_all: the median of all, disturbed or not.
    """

    median: float
    low: float
    high: float
    is_disturbed: bool = False
    counted: int = 0
    measured: int = 0
    of_all: float = 0.0

    def render(self, digits: int = 2) -> str:
        """`0.98 (0.95–1.01)`; the range is left out when there was one repeat only."""
        star = "*" if self.is_disturbed else ""
        if self.low == self.high:
            return f"{self.median:.{digits}f}{star}"
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f}){star}"


def summarise(quiet: Sequence[float], every: Sequence[float]) -> Summary | None:
    """Median and range of the undisturbed repeats, or of all where none is undisturbed; None without any."""
    if not every:
        return None
    values = quiet or every
    return Summary(
        median(values), min(values), max(values), not quiet, len(values), len(every), median(every)
    )


def pair(
    values: dict[int, float], baseline: dict[int, float], combine: Callable[[float, float], float]
) -> list[float]:
    """Combines each repeat's value with that repeat's baseline, so that a slow minute spoils neither."""
    return [combine(values[repeat], baseline[repeat]) for repeat in sorted(values) if repeat in baseline]


def ratio(value: float, baseline: float) -> float:
    """`value` as a share of `baseline`; 0 when the baseline did nothing."""
    return value / baseline if baseline else 0.0


def difference(value: float, baseline: float) -> float:
    """What `value` adds to `baseline`."""
    return value - baseline


def rotate(items: Sequence[Item], by: int) -> list[Item]:
    """The items, starting with another one each time, so that none is always first."""
    start = by % len(items)
    return [*items[start:], *items[:start]]


# Student's t for 95 % of both sides, by degrees of freedom from 1 on.
T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145)


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean of paired values (Student's t); None for less than two.

    Example:
        >>> [round(end, 2) for end in interval([1.0, 1.02, 0.98, 1.0])]
        [0.97, 1.03]
    """
    if len(values) < 2:
        return None
    half = T_95[min(len(values) - 2, len(T_95) - 1)] * stdev(values) / len(values) ** 0.5
    return mean(values) - half, mean(values) + half
