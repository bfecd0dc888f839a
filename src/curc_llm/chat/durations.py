"""Durations in words."""

from __future__ import annotations


def render_duration(seconds: float) -> str:
    """Writes a duration with at most two units.

    Example:
        >>> render_duration(3), render_duration(75), render_duration(7260)
        ('3 s', '1 min 15 s', '2 h 1 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _pair(whole // 60, "min", whole % 60, "s")
    return _pair(whole // 3600, "h", whole % 3600 // 60, "min")


def render_rough_duration(seconds: float) -> str:
    """Writes a duration in one unit below an hour: what is far away needs no seconds.

    Example:
        >>> render_rough_duration(40), render_rough_duration(290), render_rough_duration(7260)
        ('less than a minute', '5 min', '2 h 1 min')
    """
    if seconds < 60:
        return "less than a minute"
    return render_duration(round(seconds / 60) * 60)


def _pair(high: int, high_unit: str, low: int, low_unit: str) -> str:
    return f"{high} {high_unit} {low} {low_unit}" if low else f"{high} {high_unit}"
