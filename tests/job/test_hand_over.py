"""When a successor is submitted and when it takes over: every rule, without any job."""

from __future__ import annotations

import pytest

from curc_llm.job.hand_over import (
    MARGIN_S,
    MORE_TIME_S,
    MOST_OVERLAP_S,
    MOST_OWN_WAIT_S,
    MOST_TRIES,
    MOVE_BEFORE_S,
    RELAY_S,
    RETRY_AFTER_S,
    Estimate,
    HandOver,
    Step,
    Wish,
    estimate_queue_s,
    measure_start_s,
)
from curc_llm.session.demand import OtherPhase
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord

QUICK = Estimate(queue_s=0, start_s=100)
READY = OtherPhase.READY


def test_it_is_submitted_early_enough_to_wait_and_to_start() -> None:
    plan, slow = HandOver(Wish(4)), Estimate(queue_s=7200, start_s=600)
    assert slow.lead_s == 7200 + 900 + MARGIN_S
    assert plan.decide(0, slow.lead_s + 1, slow, None) is Step.WAIT
    assert plan.decide(1, slow.lead_s, slow, None) is Step.SUBMIT


def test_both_serve_until_the_end_is_near_then_the_successor_takes_over() -> None:
    plan = HandOver(Wish(4))
    assert plan.decide(0, MOVE_BEFORE_S + 1, QUICK, READY) is Step.WAIT
    assert plan.decide(1, MOVE_BEFORE_S, QUICK, READY) is Step.MOVE


def test_a_day_in_the_queue_once_does_not_make_two_jobs_run_side_by_side_for_a_day() -> None:
    assert estimate_queue_s(waited_s=24 * 3600, expected_s=0) == MOST_OWN_WAIT_S
    assert estimate_queue_s(waited_s=60, expected_s=9 * 3600) == 9 * 3600


def test_one_that_begins_much_earlier_than_slurm_said_takes_over_and_the_first_job_ends() -> None:
    plan, slow = HandOver(Wish(4)), Estimate(queue_s=9 * 3600, start_s=600)
    assert plan.decide(0, MOST_OVERLAP_S + 60, slow, OtherPhase.STARTING) is Step.WAIT
    assert plan.decide(1, MOST_OVERLAP_S + 59, slow, READY) is Step.MOVE
    plan.note_move(1)
    assert plan.decide(RELAY_S, MOST_OVERLAP_S - 500, slow, READY) is Step.WAIT
    assert plan.decide(RELAY_S + 2, MOST_OVERLAP_S - 600, slow, READY) is Step.END


def test_time_that_slurm_gives_meanwhile_is_used_and_the_successor_put_off() -> None:
    plan = HandOver(Wish(4))
    assert plan.decide(0, 700, QUICK, OtherPhase.QUEUED) is Step.WAIT
    assert plan.decide(1, MOST_OVERLAP_S + MORE_TIME_S + 1, QUICK, OtherPhase.QUEUED) is Step.DROP
    assert plan.decide(2, MOST_OVERLAP_S, QUICK, None) is Step.WAIT
    assert plan.decide(3, QUICK.lead_s, QUICK, None) is Step.SUBMIT


@pytest.mark.parametrize("phase", [OtherPhase.STARTING, READY])
def test_a_successor_that_has_begun_is_not_put_off(phase: OtherPhase) -> None:
    plan = HandOver(Wish(4))
    assert plan.decide(0, 700, QUICK, phase) is Step.WAIT
    assert plan.decide(1, MOST_OVERLAP_S + MORE_TIME_S + 1, QUICK, phase) is not Step.DROP


def test_a_little_more_time_and_one_that_was_wished_for_at_once_keep_the_successor() -> None:
    plan = HandOver(Wish(4))
    assert plan.decide(0, 700, QUICK, OtherPhase.STARTING) is Step.WAIT
    assert plan.decide(1, MOST_OVERLAP_S - 1, QUICK, OtherPhase.STARTING) is Step.WAIT
    early = HandOver(Wish(4))
    assert early.decide(0, MOST_OVERLAP_S + 60, QUICK, OtherPhase.STARTING) is Step.WAIT
    assert early.decide(0, MOST_OVERLAP_S + 60 + MORE_TIME_S, QUICK, READY) is Step.MOVE
    at_once = HandOver(Wish(4, is_now=True))
    assert at_once.decide(0, 700, QUICK, OtherPhase.STARTING) is Step.WAIT
    assert at_once.decide(1, 30_000, QUICK, READY) is Step.MOVE


def test_a_successor_does_not_download_what_is_there_already() -> None:
    engine = EngineRecord(served_model_name="m", model="org/m", phase_since=1600, download_s=300)
    record = SessionRecord(
        session_id="slurm-a", owner="anna", host="c1", pid=1, pid_started=1, started_at=1000,
        heartbeat_at=1000, engines=(engine,), ready_at=2000,
    )  # fmt: skip
    assert measure_start_s(record, now=9000) == 700
    loading = engine.model_copy(update={"phase": EnginePhase.DOWNLOADING})
    still = record.model_copy(update={"ready_at": None, "engines": (loading,)})
    assert measure_start_s(still, now=1900) == 300


@pytest.mark.parametrize("phase", [OtherPhase.QUEUED, OtherPhase.STARTING, OtherPhase.UNKNOWN])
def test_one_that_cannot_answer_gets_nothing_however_near_the_end_is(phase: OtherPhase) -> None:
    assert HandOver(Wish(4, is_now=True)).decide(0, 1, QUICK, phase) is Step.WAIT


def test_at_once_means_as_soon_as_it_can_answer_and_the_old_address_goes_on_for_a_while() -> None:
    plan = HandOver(Wish(4, is_now=True))
    assert plan.decide(0, 30_000, QUICK, None) is Step.SUBMIT
    assert plan.decide(1, 30_000, QUICK, READY) is Step.MOVE
    plan.note_move(1)
    assert plan.decide(RELAY_S, 30_000, QUICK, READY) is Step.WAIT
    assert plan.decide(RELAY_S + 2, 30_000, QUICK, READY) is Step.END


def test_handed_over_near_the_end_it_relays_to_its_last_second() -> None:
    plan = HandOver(Wish(4))
    plan.note_move(0)
    assert plan.decide(RELAY_S + 2, 1, QUICK, READY) is Step.WAIT


def test_when_the_successor_is_lost_the_session_serves_itself_again_and_tries_once_more() -> None:
    plan = HandOver(Wish(4, is_now=True))
    plan.note_move(0)
    assert plan.decide(1, 9000, QUICK, OtherPhase.ENDED) is Step.TAKE_BACK
    plan.note_failure(1)
    assert plan.moved_s is None
    assert plan.decide(2, 9000, QUICK, None) is Step.WAIT
    assert plan.decide(2 + RETRY_AFTER_S, 9000, QUICK, None) is Step.SUBMIT


def test_after_some_failures_it_gives_up() -> None:
    plan = HandOver(Wish(4, is_now=True))
    for _ in range(MOST_TRIES):
        plan.note_failure(0)
    assert plan.gave_up
    assert plan.decide(1e6, 9000, QUICK, None) is Step.WAIT


def test_a_successor_that_somebody_stopped_is_not_replaced() -> None:
    plan = HandOver(Wish(4, is_now=True))
    plan.note_failure(0)
    plan.give_up("Somebody stopped it.")
    assert plan.why_none == "Somebody stopped it."
    assert plan.gave_up
    assert plan.decide(1e6, 9000, QUICK, None) is Step.WAIT
