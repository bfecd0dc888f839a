"""A successor that is being submitted while its session ends is not forgotten."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from curc_llm.job.board import Board
from curc_llm.job.ending import Ending
from curc_llm.job.hand_over import Estimate, Step, Wish
from curc_llm.job.hand_over_keeper import HandOverKeeper
from curc_llm.job.other_jobs import OtherJobs
from curc_llm.job.other_session import OtherSession
from curc_llm.session.demand import OtherPhase
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord, SessionStatus, Trouble
from curc_llm.settings import load_settings
from curc_llm.spec import LaunchSpec, make_launch_spec


class SlowJobs:
    """Slurm takes a job only once it is let."""

    def __init__(self, spec: LaunchSpec) -> None:
        self.spec = spec
        self.slurm = self
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.cancelled: list[str] = []
        self.refusal = ""

    def submit(self, spec: LaunchSpec, _record: SessionRecord) -> OtherSession:
        self.begun.set()
        assert self.may_end.wait(60)
        return OtherSession(spec, "88")

    def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)

    def find_refusal(self, _record: SessionRecord) -> str:
        return self.refusal


def make_keeper(tmp_path: Path, ends: list[Ending]) -> tuple[SlowJobs, Board, HandOverKeeper]:
    """A session's keeper that is to hand over now."""
    settings = load_settings(environ={"HOME": str(tmp_path)})
    spec = make_launch_spec(settings, ("demo",), device="cpu", engine_python="/p")
    jobs = SlowJobs(spec.model_copy(update={"wall_time_s": 3600.0}))
    own: dict[str, Any] = {"session_id": spec.session_id, "owner": "anna", "host": "c1", "pid": 1}
    record = SessionRecord(**own, pid_started=1, started_at=1.0, heartbeat_at=1.0)
    board = Board(tmp_path / "session.json", record, lambda _: None)
    keeper = HandOverKeeper(
        cast("OtherJobs", jobs), SessionPaths(tmp_path), board, lambda: 3600.0, ends.append
    )
    keeper.set_wish(Wish(1, is_now=True))
    return jobs, board, keeper


@pytest.mark.parametrize(
    ("code", "cancelled", "is_heir"), [("stopped", ["88"], False), ("wall_time", [], True)]
)
async def test_it_is_cancelled_or_left_in_charge(
    tmp_path: Path, code: str, cancelled: list[str], is_heir: bool
) -> None:
    jobs, board, keeper = make_keeper(tmp_path, [])
    assert keeper._plan is not None
    submitting = asyncio.create_task(keeper._submit(keeper._plan))
    await asyncio.to_thread(jobs.begun.wait, 60)
    submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)
    end = Ending(SessionStatus.ENDED, Trouble(code=code, message="Over."), 0)
    closing = asyncio.create_task(keeper.close(end))
    jobs.may_end.set()
    last = await closing
    assert jobs.cancelled == cancelled
    assert bool(board.record.successor) is is_heir
    assert last.reason.code == ("handed_over" if is_heir else code)


async def test_answers_that_the_old_address_relays_are_finished_when_it_ends(tmp_path: Path) -> None:
    ends: list[Ending] = []
    jobs, _, keeper = make_keeper(tmp_path, ends)
    assert keeper._plan is not None
    await keeper._take(Step.END, keeper._plan)
    assert [(end.reason.code, end.drain_s) for end in ends] == [("handed_over", jobs.spec.drain_s)]
    assert jobs.spec.drain_s > 0


async def test_while_the_session_starts_its_record_is_not_written_anew_each_second(tmp_path: Path) -> None:
    _, board, keeper = make_keeper(tmp_path, [])
    assert keeper._plan is not None
    board.update(ends_at=10_000.0)
    told = []
    for start_s in (10, 11, 12, 60):
        keeper._show(keeper._plan, Estimate(0, start_s))
        told.append(board.record.hand_over)
    assert told[0] is told[1] is told[2]
    assert told[3] is not None
    assert told[3].submit_at == 10_000 - Estimate(0, 60).lead_s
    board.update(ends_at=9_990.0)  # Slurm's word for the end counts at once
    keeper._show(keeper._plan, Estimate(0, 61))
    assert board.record.hand_over is not None
    assert board.record.hand_over.submit_at == 9_990 - Estimate(0, 60).lead_s


async def test_one_that_was_ended_by_hand_is_called_so(tmp_path: Path) -> None:
    jobs, board, keeper = make_keeper(tmp_path, [])
    assert keeper._plan is not None
    jobs.may_end.set()
    await keeper._submit(keeper._plan)
    successor = keeper._successor
    assert successor is not None
    successor.phase = OtherPhase.ENDED
    stopped = Trouble(code="stopped", message="The session was stopped by its owner.")
    successor.record = board.record.model_copy(update={"reason": stopped})
    await keeper._drop_if_lost(keeper._plan, successor)
    keeper._show(keeper._plan, Estimate(0, 10))
    assert board.record.hand_over is not None
    told = board.record.hand_over.detail
    assert told.startswith(
        f"The session that was to go on, {successor.session_id} (job 88), was ended by hand"
    )
    assert board.record.warnings[-1] == told


async def test_a_successor_that_is_put_off_is_cancelled_and_told(tmp_path: Path) -> None:
    jobs, board, keeper = make_keeper(tmp_path, [])
    assert keeper._plan is not None
    jobs.may_end.set()
    await keeper._submit(keeper._plan)
    await keeper._take(Step.DROP, keeper._plan)
    assert jobs.cancelled == ["88"]
    assert keeper._successor is None
    assert board.record.warnings[-1].startswith("Slurm has given this job more time: ")


async def test_a_successor_with_the_old_model_is_taken_back_once_another_is_served(tmp_path: Path) -> None:
    jobs, board, keeper = make_keeper(tmp_path, [])
    assert keeper._plan is not None
    jobs.may_end.set()
    await keeper._submit(keeper._plan)
    await keeper._drop_if_unlike(keeper._plan)
    assert jobs.cancelled == []
    jobs.refusal = "The session serves another model."
    await keeper._drop_if_unlike(keeper._plan)
    assert jobs.cancelled == ["88"]
    assert keeper._plan.gave_up
    assert "isn't handed over" in board.record.warnings[-1]
