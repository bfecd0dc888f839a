"""What people are told of the time that is left."""

from __future__ import annotations

import time
from typing import Any

import pytest

from curc_llm.job.clocks import Clocks


class FakeBoard:
    """The record, as far as the clocks use it."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.record = self
        self.ends_at: float | None = None

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def update(self, **changes: Any) -> None:
        self.__dict__.update(changes)


class Spec:
    """A session of four hours."""

    idle_stop_min, wall_time_s, drain_s, slurm = 0, 4 * 3600.0, 20.0, None


@pytest.mark.parametrize(("left_s", "told"), [(352, "6 minutes"), (60, "1 minute"), (899, "15 minutes")])
def test_an_end_brought_nearer_is_told_with_the_time_that_is_left(left_s: float, told: str) -> None:
    board = FakeBoard()
    clocks = Clocks(Spec(), board, lambda _: None)  # type: ignore[arg-type]
    clocks._tick_wall(time.monotonic())
    assert board.warnings == []
    clocks.set_end(time.time() + left_s)
    for _ in range(2):
        clocks._tick_wall(time.monotonic())
    assert board.warnings == [f"The session's time ends in {told}; save what you need."]
