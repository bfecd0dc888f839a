"""The end of the wall time: warnings before it, and a drain so that nothing is cut off."""

from __future__ import annotations

from dataclasses import dataclass, field

WARN_BEFORE_MIN = (15, 5, 1)
# An end that moves by less isn't more time: Slurm tells it in whole seconds.
MORE_TIME_S = 30.0


@dataclass
class WallClock:
    """Tells which warning is due, and when to drain and end. Times are monotonic seconds.

    Args:
        ends_s: when the session must have ended; None for no end.
        drain_s: seconds that running requests get before that.

    Example:
        >>> clock = WallClock(ends_s=1000, drain_s=20)
        >>> [clock.due_warning_min(now_s) for now_s in (0, 710, 711)]
        [None, 5, None]
    """

    ends_s: float | None
    drain_s: float
    _warned_min: set[int] = field(default_factory=set)

    def left_s(self, now_s: float) -> float | None:
        """Seconds left, or None for no end."""
        return None if self.ends_s is None else self.ends_s - now_s

    def due_warning_min(self, now_s: float) -> int | None:
        """The warning (15, 5 or 1 minutes) to give now; each once, and only the latest that applies."""
        left_s = self.left_s(now_s)
        if left_s is None:
            return None
        # More time was given: the warnings that no longer apply are due again in their turn.
        self._warned_min = {m for m in self._warned_min if left_s <= m * 60 + MORE_TIME_S}
        passed = [m for m in WARN_BEFORE_MIN if left_s <= m * 60 and m not in self._warned_min]
        # A session shorter than a warning's lead would be told of it in its first second: that is no news.
        self._warned_min.update(passed)
        return min(passed) if passed else None

    def skip_passed(self, now_s: float) -> None:
        """Marks warnings that already apply as given: for a session that starts with little time."""
        self.due_warning_min(now_s)

    def must_drain(self, now_s: float) -> bool:
        """True from `drain_s` before the end on."""
        left_s = self.left_s(now_s)
        return left_s is not None and left_s <= self.drain_s

    def is_over(self, now_s: float) -> bool:
        """True once the wall time is over."""
        left_s = self.left_s(now_s)
        return left_s is not None and left_s <= 0
