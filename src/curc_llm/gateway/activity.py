"""Whether the models are in use: what the supervisor needs to know to end a session that nobody uses.

Only generations count. Polling of /health, /status or /metrics, and open tabs, keep nothing alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from curc_llm.gateway.channel import Activity

_MIN_GAP_S = 0.2


class ActivityReporter:
    """Counts generations, and reports at once, but at most five times a second.

    Args:
        send: where reports go.
        count_waiting: tells how many generations wait for an engine.
    """

    def __init__(
        self, send: Callable[[Activity], None], count_waiting: Callable[[], int] = lambda: 0
    ) -> None:
        self._send = send
        self._count_waiting = count_waiting
        self._told_waiting = 0
        self._loop = asyncio.get_running_loop()
        self.running = 0
        self.finished = 0
        self._changed_at = self._loop.time()
        self._reported_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A generation begins."""
        self.running += 1
        self._note()

    def end(self) -> None:
        """A generation has ended, well or not."""
        self.running -= 1
        self.finished += 1
        self._note()

    def _note(self) -> None:
        self._changed_at = now = self._loop.time()
        wait_s = self._reported_at + _MIN_GAP_S - now
        if wait_s <= 0:
            self.report()
        elif self._timer is None:
            self._timer = self._loop.call_later(wait_s, self.report)

    def refresh(self) -> None:
        """Reports again if another number waits than was told last; to be called every second or so."""
        if self._count_waiting() != self._told_waiting:
            self.report()

    def report(self) -> None:
        """Sends how things are now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        self._reported_at = now
        ago_s = 0.0 if self.running else round(now - self._changed_at, 3)
        self._told_waiting = self._count_waiting()
        self._send(Activity(self.running, self.finished, ago_s, self._told_waiting))
