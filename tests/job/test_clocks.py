"""What people are told of the time that is left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from curc_llm.job.board import IDLE_WARNING, TIME_WARNING, Board
from curc_llm.job.clocks import Clocks
from curc_llm.session.record import SessionRecord, SessionStatus, Trouble
from curc_llm.settings import load_settings
from curc_llm.spec import make_launch_spec


@pytest.fixture
def board(tmp_path: Path) -> Board:
    record = SessionRecord(
        session_id="a", owner="a", host="h", pid=1, pid_started=1, started_at=1.0, heartbeat_at=1.0
    )
    return Board(tmp_path / "session.json", record, lambda _: None)


@pytest.fixture
def clocks(board: Board, tmp_path: Path) -> Clocks:
    """Those of a session of four hours."""
    settings = load_settings(environ={"HOME": str(tmp_path)})
    spec = make_launch_spec(settings, ("demo",), device="cpu", engine_python="python")
    return Clocks(spec.model_copy(update={"wall_time_s": 4 * 3600.0}), board, lambda _: None)


@pytest.mark.parametrize(("left_s", "told"), [(352, "6 minutes"), (60, "1 minute"), (899, "15 minutes")])
def test_an_end_brought_nearer_is_told_with_the_time_that_is_left(
    clocks: Clocks, board: Board, left_s: float, told: str
) -> None:
    clocks._tick_wall(time.monotonic())
    assert board.record.warnings == ()
    clocks.set_end(time.time() + left_s)
    for _ in range(2):
        clocks._tick_wall(time.monotonic())
    assert board.record.warnings == (f"The session's time ends within {told}; save what you need.",)


def test_only_the_newest_warning_of_the_end_stays_and_more_time_takes_it_back(
    clocks: Clocks, board: Board
) -> None:
    told = []
    for left_s in (890, 290, 55, 7200, 880):
        clocks.set_end(time.time() + left_s)
        clocks._tick_wall(time.monotonic())
        told.append([w.split("within ")[1].split(";")[0] for w in board.record.warnings])
    assert told == [["15 minutes"], ["5 minutes"], ["1 minute"], [], ["15 minutes"]]


def test_a_session_that_is_over_warns_of_no_end(board: Board) -> None:
    for warning in (f"{TIME_WARNING}1 minute; save what you need.", f"{IDLE_WARNING}1 minute", "Look here."):
        board.warn(warning)
    board.end(SessionStatus.ENDED, Trouble(code="stopped", message="The session was stopped."))
    assert board.record.warnings == ("Look here.",)
