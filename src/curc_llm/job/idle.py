"""The idle clock: ends a session that nobody uses, after a warning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class IdleVerdict(Enum):
    """What is to be done about idleness now."""

    IN_USE = "in use"
    WARN = "warn"
    STOP = "stop"


@dataclass
class IdleClock:
    """Counts the time since the last request began or ended. Health polls and open tabs never touch it.

    All times are monotonic seconds, so that a jump of the wall clock changes nothing.

    Args:
        limit_s: idle seconds after which the session ends; 0 for never.
        last_used_s: when it was last used.

    Example:
        >>> clock = IdleClock(limit_s=1800, last_used_s=0)
        >>> clock.verdict(now_s=1600), clock.verdict(now_s=1800)
        (<IdleVerdict.WARN: 'warn'>, <IdleVerdict.STOP: 'stop'>)
    """

    limit_s: float
    last_used_s: float
    busy: bool = False

    @property
    def warning_s(self) -> float:
        """How long before the end the warning comes: five minutes, or a third of a short limit."""
        return min(300.0, self.limit_s / 3)

    def note(self, *, busy: bool, last_used_s: float) -> None:
        """Takes what the gateway says: whether a request runs, and when the last one began or ended."""
        self.busy = busy
        self.last_used_s = max(self.last_used_s, last_used_s)

    def left_s(self, now_s: float) -> float | None:
        """Seconds until the session would end; None while it is in use or the clock is off."""
        return None if self.busy or not self.limit_s else self.last_used_s + self.limit_s - now_s

    def verdict(self, now_s: float) -> IdleVerdict:
        """What to do at `now_s`."""
        left_s = self.left_s(now_s)
        if left_s is None or left_s > self.warning_s:
            return IdleVerdict.IN_USE
        return IdleVerdict.STOP if left_s <= 0 else IdleVerdict.WARN
