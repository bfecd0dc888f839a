"""What people are told of the time that is left."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from curc_llm.job.board import IDLE_WARNING, TIME_WARNING, Board
from curc_llm.job.clocks import Clocks
from curc_llm.session.record import SessionRecord, SessionStatus, Trouble


class FakeBoard:
    """The record, as far as the clocks use it."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.record = self
        self.ends_at: float | None = None

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def unwarn(self, beginning: str) -> None:
        self.warnings = [w for w in self.warnings if not w.startswith(beginning)]

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
    assert board.warnings == [f"The session's time ends within {told}; save what you need."]


def test_only_the_newest_warning_of_the_end_stays_and_more_time_takes_it_back() -> None:
    board = FakeBoard()
    clocks = Clocks(Spec(), board, lambda _: None)  # type: ignore[arg-type]
    told = []
    for left_s in (890, 290, 55, 7200, 880):
        clocks.set_end(time.time() + left_s)
        clocks._tick_wall(time.monotonic())
        told.append([w.split("within ")[1].split(";")[0] for w in board.warnings])
    assert told == [["15 minutes"], ["5 minutes"], ["1 minute"], [], ["15 minutes"]]


def test_a_session_that_is_over_warns_of_no_end(tmp_path: Path) -> None:
    record = SessionRecord(
        session_id="a", owner="a", host="h", pid=1, pid_started=1, started_at=1.0, heartbeat_at=1.0
    )
    board = Board(tmp_path / "session.json", record, lambda _: None)
    for warning in (f"{TIME_WARNING}1 minute; save what you need.", f"{IDLE_WARNING}1 minute", "Look here."):
        board.warn(warning)
    board.end(SessionStatus.ENDED, Trouble(code="stopped", message="The session was stopped."))
    assert board.record.warnings == ("Look here.",)
