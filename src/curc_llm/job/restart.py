"""When a part that died is started again, and when not any more."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_FAILURES = 3
HEALTHY_S = 600.0
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 30.0


@dataclass
class RestartPolicy:
    """Three failures without ten healthy minutes between them, and it is given up.

    A restart that can't help burns GPU hours; a restart after a long healthy run is nearly free.

    Args:
        healthy_s: seconds of health after which earlier failures are forgotten.
        max_failures: failures after which no restart is tried.

    Example:
        >>> policy = RestartPolicy()
        >>> policy.next_delay_s(), policy.next_delay_s(), policy.next_delay_s()
        (1.0, 4.0, None)
    """

    healthy_s: float = HEALTHY_S
    max_failures: int = MAX_FAILURES
    failures: int = field(default=0, init=False)

    def next_delay_s(self, was_healthy_s: float = 0.0) -> float | None:
        """Notes a failure; seconds to wait before the next start, or None to give up.

        Args:
            was_healthy_s: for how long the part had been healthy before it failed.
        """
        if was_healthy_s >= self.healthy_s:
            self.failures = 0
        self.failures += 1
        if self.failures >= self.max_failures:
            return None
        return float(min(FIRST_DELAY_S * 4 ** (self.failures - 1), MAX_DELAY_S))
