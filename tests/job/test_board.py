"""What the session's record says, as its parts report."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from curc_llm.job.board import Board
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord


def test_the_time_of_a_download_is_kept_apart_from_the_start_s(tmp_path: Path) -> None:
    engine = EngineRecord(served_model_name="m", model="org/m")
    record = SessionRecord(
        session_id="slurm-a", owner="anna", host="c1", pid=1, pid_started=1, started_at=1.0, heartbeat_at=1.0,
        engines=(engine,),
    )  # fmt: skip
    board = Board(tmp_path / "session.json", record, lambda _: None)
    for seconds in (300, 40):  # the model, then an adapter
        board.update_engine(0, phase=EnginePhase.DOWNLOADING, phase_since=time.time() - seconds)
        board.update_engine(0, phase=EnginePhase.ENVIRONMENT)
    assert board.record.engines[0].download_s == pytest.approx(340, abs=5)
    board.update(ready_at=time.time())
    board.update_engine(0, phase=EnginePhase.DOWNLOADING, phase_since=time.time() - 300)
    board.update_engine(0, phase=EnginePhase.ENVIRONMENT)
    assert board.record.engines[0].download_s == pytest.approx(340, abs=5)
