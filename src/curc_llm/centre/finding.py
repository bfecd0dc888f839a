"""Finding: one thing that was looked at, and whether it is as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "differs", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One line of `curc-llm doctor --site`.

    Args:
        subject: what it is about, such as `partition aa100`.
        what: which of its facts, such as `su_per_gpu_h of a100_80gb`.
        level: `ok`; `differs` for what should be changed; `unknown` for what can't be told from here.
        expected: what the installation or the site file says.
        found: what is so.
        remedy: what to change, or how to find out; empty where there is nothing to do.
    """

    subject: str
    what: str
    level: Level
    expected: str = ""
    found: str = ""
    remedy: str = ""

    @property
    def message(self) -> str:
        """The finding in a few words.

        Example:
            >>> Finding("qos gpu-long", "max_time_h", "differs", "168", "72").message
            'max_time_h: 168 is expected, 72 is so'
        """
        if self.level == "differs" and self.expected:
            return f"{self.what}: {self.expected} is expected, {self.found} is so"
        told = self.found or self.expected
        return f"{self.what}: {told}" if told else self.what


def compare(
    subject: str,
    what: str,
    expected: float | str | None,
    found: float | str | None,
    *,
    remedy: str = "",
    tolerance: float = 0.0,
    unknown: str = "",
) -> Finding:
    """Whether a figure is as expected.

    Args:
        subject: what the Finding is about.
        what: which of its facts.
        expected: of the site file; None: it states none.
        found: of Slurm; None: it doesn't say.
        remedy: what to do when they differ; without, the site file is to be changed.
        tolerance: the share of the expected number by which the found one may be off.
        unknown: what to say when nothing was found; empty: Slurm doesn't say.

    Example:
        >>> compare("qos gpu-long", "max_time_h", 168, 72).level
        'differs'
    """
    if found is None and expected is None:
        return Finding(subject, what, "ok", "no limit", "no limit")
    if found is None:
        told = unknown or "Slurm sets none itself; a job filter may, so try it."
        return Finding(subject, what, "unknown", _render(expected), "", told)
    if expected is not None and _is_same(expected, found, tolerance):
        return Finding(subject, what, "ok", _render(expected), _render(found))
    told = remedy or f"Set {what} to {_render(found)} in the site file ({subject})."
    return Finding(subject, what, "differs", _render(expected), _render(found), told)


def _is_same(expected: float | str, found: float | str, tolerance: float) -> bool:
    if isinstance(expected, str) or isinstance(found, str):
        return expected == found
    return abs(expected - found) <= abs(expected) * tolerance + 1e-9


def _render(value: float | str | None) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else f"{value:g}"
