"""What another job has cost, as its session sees it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from curc_llm.job.other_session import OtherSession
from curc_llm.session.demand import OtherPhase
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus
from curc_llm.session.store import process_started, write_record
from curc_llm.settings import load_settings
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.spec import SlurmSpec, make_launch_spec
from tests.job.test_demand import with_price

HOUR_S = 3600.0


@pytest.fixture
def other(tmp_path: Path) -> OtherSession:
    """A replica at 100 SU an hour, whose job was submitted at 0 and cancelled after two hours."""
    spec = make_launch_spec(
        load_settings(environ={"HOME": str(tmp_path)}), ("demo",), device="cpu", engine_python="/p"
    )
    own = {"slurm": SlurmSpec(partition="aa100"), "wall_time_s": 8 * HOUR_S, **with_price(100.0)}
    found = OtherSession(spec.model_copy(update=own), "88")
    found.record = SessionRecord(
        session_id="slurm-r", owner="anna", host="", pid=0, pid_started=0, status=SessionStatus.ENDED,
        started_at=0.0, heartbeat_at=0.0, ended_at=2 * HOUR_S,
    )  # fmt: skip
    return found


def test_waiting_in_the_queue_costs_nothing(other: OtherSession) -> None:
    assert other.count_su(3 * HOUR_S) == 0


def test_a_job_that_began_and_wrote_nothing_costs_from_when_slurm_began_it(other: OtherSession) -> None:
    other.began_at = 1.5 * HOUR_S
    assert other.count_su(3 * HOUR_S) == pytest.approx(50)


def test_a_job_that_wrote_its_record_costs_from_when_it_says_so(other: OtherSession) -> None:
    assert other.record is not None
    other.record = other.record.model_copy(update={"pid": 7, "started_at": HOUR_S})
    assert other.count_su(3 * HOUR_S) == pytest.approx(100)


def test_where_slurm_has_told_when_it_began_it_costs_from_then(other: OtherSession) -> None:
    assert other.record is not None
    other.record = other.record.model_copy(update={"pid": 7, "started_at": HOUR_S})
    other.began_at = HOUR_S - 36
    assert other.count_su(3 * HOUR_S) == pytest.approx(101)


def test_one_whose_own_models_are_down_is_not_ready_for_who_relays_to_it(other: OtherSession) -> None:
    assert other.record is not None
    other.paths.root.mkdir(parents=True)
    running = {
        "status": SessionStatus.READY, "ended_at": None, "heartbeat_at": time.time(), "ready_at": 1.0,
        "host": socket.gethostname(), "pid": os.getpid(), "pid_started": process_started(os.getpid()),
    }  # fmt: skip
    phases = []
    for phase in (EnginePhase.READY, EnginePhase.RESTARTING):
        engine = EngineRecord(served_model_name="demo", model="demo", phase=phase, phase_since=1.0)
        write_record(other.paths.record, other.record.model_copy(update={**running, "engines": (engine,)}))
        other.look(SlurmPoll(Slurm()))
        phases.append(other.phase)
    assert phases == [OtherPhase.READY, OtherPhase.STARTING]
