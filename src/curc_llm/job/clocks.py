"""Watches idle time and wall time, warns people, and asks for the end when either is over."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from curc_llm.gateway.channel import Activity
from curc_llm.job.board import IDLE_WARNING, TIME_WARNING, Board
from curc_llm.job.ending import Ending, make_idle_ending, make_wall_time_ending
from curc_llm.job.idle import IdleClock, IdleVerdict
from curc_llm.job.walltime import WARN_BEFORE_MIN, WallClock
from curc_llm.spec import LaunchSpec

TICK_S = 0.5
# Seconds that ending the engines takes at most, which in Slurm must be over before the wall time is.
STOP_RESERVE_S = 15.0


class Clocks:
    """Both clocks of a session. They run on monotonic time; only what people are shown is wall-clock time.

    Args:
        spec: has the limits.
        board: where warnings and the idle stop's time are shown.
        request_end: called when the session must end.
    """

    def __init__(self, spec: LaunchSpec, board: Board, request_end: Callable[[Ending], None]) -> None:
        now_s = time.monotonic()
        self._spec = spec
        self._board = board
        self._request_end = request_end
        self._idle = IdleClock(spec.idle_stop_min * 60, now_s)
        self._reserve_s = STOP_RESERVE_S if spec.slurm is not None else 0.0
        ends_s = now_s + spec.wall_time_s if spec.wall_time_s else None
        self._wall = WallClock(ends_s, spec.drain_s + self._reserve_s)
        self._wall.skip_passed(now_s)

    def left_s(self) -> float | None:
        """Seconds of wall time left."""
        return self._wall.left_s(time.monotonic())

    def set_end(self, ends_at: float) -> None:
        """Takes Slurm's word for when the wall time is over, which staff can change.

        Args:
            ends_at: Unix time.
        """
        self._wall.ends_s = time.monotonic() + ends_at - time.time()
        if self._board.record.ends_at is None or abs(self._board.record.ends_at - ends_at) > 1:
            self._board.update(ends_at=ends_at)

    def note_use(self, activity: Activity) -> None:
        """Takes what the gateway says about the models' use."""
        last_used_s = time.monotonic() - activity.last_activity_ago_s
        self._idle.note(busy=activity.running > 0, last_used_s=last_used_s)
        self._tick_idle(time.monotonic())

    def keep_going(self) -> None:
        """A person asked for more time."""
        self._idle.note(busy=self._idle.busy, last_used_s=time.monotonic())
        self._tick_idle(time.monotonic())

    async def run(self) -> None:
        """Ticks until cancelled."""
        while True:
            now_s = time.monotonic()
            if self._board.record.ready_at is None:
                # Loading isn't idling: the clock starts when the first model can answer.
                self._idle.note(busy=False, last_used_s=now_s)
            else:
                self._tick_idle(now_s)
            self._tick_wall(now_s)
            await asyncio.sleep(TICK_S)

    def _tick_idle(self, now_s: float) -> None:
        verdict = self._idle.verdict(now_s)
        left_s = self._idle.left_s(now_s)
        if verdict is IdleVerdict.STOP:
            self._request_end(make_idle_ending(self._spec.idle_stop_min))
        elif verdict is IdleVerdict.WARN and left_s is not None:
            self._board.unwarn(IDLE_WARNING) if self._said_otherwise(left_s) else None
            self._board.warn(IDLE_WARNING + f"{_minutes(left_s)} unless a request comes.")
        else:
            self._board.unwarn(IDLE_WARNING)
        self._show_idle_stop(left_s)

    def _said_otherwise(self, left_s: float) -> bool:
        newest = self._board.record.warnings[-1:]
        return not (newest and newest[0].startswith(IDLE_WARNING + _minutes(left_s)))

    def _show_idle_stop(self, left_s: float | None) -> None:
        """Shows when the session would stop; moved only when it changed by a second or more."""
        shown = self._board.record.idle_stop_at
        stops_at = None if left_s is None else time.time() + left_s
        if (shown is None) != (stops_at is None) or (shown and stops_at and abs(shown - stops_at) > 1):
            self._board.update(idle_stop_at=stops_at)

    def _tick_wall(self, now_s: float) -> None:
        left_s = self._wall.left_s(now_s)
        if left_s is None:
            return
        if self._wall.due_warning_min(now_s) is not None:
            self._warn_of_end(left_s)
        elif left_s > max(WARN_BEFORE_MIN) * 60:
            self._board.unwarn(TIME_WARNING)  # staff gave it more time
        if self._wall.must_drain(now_s):
            self._request_end(make_wall_time_ending(max(left_s - self._reserve_s, 0)))

    def _warn_of_end(self, left_s: float) -> None:
        """Only the newest is kept; `within` stays true until the next one replaces it."""
        self._board.unwarn(TIME_WARNING)
        self._board.warn(TIME_WARNING + f"{_minutes(left_s)}; save what you need.")


def _minutes(seconds: float) -> str:
    """`5 minutes`, `1 minute` or `40 seconds`, rounded up."""
    if seconds > 60:
        return f"{math.ceil(seconds / 60)} minutes"
    return "1 minute" if seconds > 45 else f"{math.ceil(seconds / 15) * 15} seconds"
