"""What makes a replica or a successor end by itself: every rule, without any job."""

from __future__ import annotations

import time
from typing import Any

import pytest

from curc_llm.job.parent_watch import FRESH_S, Doubt, is_over, is_stranger
from curc_llm.job.predecessor_watch import Standing, judge_standing
from curc_llm.session.demand import HandOverRecord, OtherPhase, ReplicaRecord, ScaleRecord
from curc_llm.session.record import SessionRecord, SessionStatus, Trouble


def make_record(**fields: Any) -> SessionRecord:
    times = {"started_at": 1.0, "heartbeat_at": time.time()}
    own = {"session_id": "slurm-a", "owner": "anna", "host": "c1", "pid": 7, "pid_started": 1}
    return SessionRecord(**{**own, **times, **fields})


def make_over(code: str, **fields: Any) -> SessionRecord:
    return make_record(status=SessionStatus.ENDED, reason=Trouble(code=code, message="Over."), **fields)


KNOWN = HandOverRecord(session_id="slurm-b", job_id="8", phase=OtherPhase.QUEUED)
OTHER = KNOWN.model_copy(update={"session_id": "slurm-c"})


@pytest.mark.parametrize(
    ("record", "standing"),
    [
        (make_record(hand_over=KNOWN), Standing.AWAITED),
        (make_record(hand_over=KNOWN, successor="slurm-b"), Standing.HEIR),
        (make_record(), Standing.STRANGER),
        (make_record(hand_over=HandOverRecord()), Standing.STRANGER),
        (make_record(hand_over=OTHER, successor="slurm-c"), Standing.STRANGER),
        (make_over("handed_over", hand_over=KNOWN, successor="slurm-b"), Standing.ALONE),
        (make_over("supervisor_died", hand_over=KNOWN), Standing.ALONE),
        (make_over("stopped", hand_over=KNOWN), Standing.UNWANTED),
        (make_over("cancelled", hand_over=KNOWN), Standing.UNWANTED),
        (make_over("handed_over", hand_over=OTHER, successor="slurm-c"), Standing.UNWANTED),
        (make_over("stopped"), Standing.UNWANTED),
    ],
)
def test_a_successor_goes_on_only_where_it_is_counted_on(record: SessionRecord, standing: Standing) -> None:
    assert judge_standing(record, "slurm-b") is standing


def test_a_parent_that_does_not_list_its_replica_says_so_only_while_its_record_is_fresh() -> None:
    replica = ReplicaRecord(session_id="slurm-r", job_id="8", phase=OtherPhase.READY)
    scale = ScaleRecord(min_replicas=1, max_replicas=2, target_queue=4, replicas=(replica,))
    assert not is_stranger(make_record(scale=scale), "slurm-r")
    assert is_stranger(make_record(scale=scale), "slurm-x")
    assert is_stranger(make_record(), "slurm-x")
    assert not is_stranger(make_record(heartbeat_at=time.time() - 10 * FRESH_S), "slurm-x")


def test_a_doubt_must_hold_without_a_break() -> None:
    doubt = Doubt(10)
    told = [doubt.holds(is_so, now_s) for is_so, now_s in ((True, 0), (True, 9), (False, 10), (True, 11))]
    assert told == [False, False, False, False]
    assert doubt.holds(True, 21)


def test_a_parent_started_again_is_another_one() -> None:
    first = make_record()
    assert not is_over(first, None)
    assert not is_over(make_record(pid=0), first)  # no record yet, only Slurm's word
    assert is_over(make_record(pid=9), first)
    assert is_over(make_record(status=SessionStatus.QUEUED), None)
