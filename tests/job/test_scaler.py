"""When replicas are added and taken away: every rule, without any job."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.gateway.channel import Scale
from curc_llm.job.scaler import (
    LEAST_S,
    MOST_FAILURES,
    RETRY_AFTER_S,
    Decision,
    Load,
    Purse,
    Scaler,
    Seen,
    explain_no_room,
)
from curc_llm.session.demand import OtherPhase

BUSY = Load(waiting=20, running=40, slots=16)
CALM = Load(waiting=0, running=3, slots=16)
IDLE = Load(waiting=0, running=0, slots=16)
READY, QUEUED, STARTING = OtherPhase.READY, OtherPhase.QUEUED, OtherPhase.STARTING
RULES = Scale(min_replicas=1, max_replicas=4, target_queue=4, add_after_s=10, drain_after_s=60)


def follow(scaler: Scaler, load: Load, until_s: int, *replicas: Seen, since_s: int = 0) -> list[Decision]:
    """The decisions of each second."""
    return [scaler.decide(second, load, replicas) for second in range(since_s, until_s)]


def test_one_is_added_when_requests_have_waited_for_long_enough_and_then_one_at_a_time() -> None:
    scaler = Scaler(RULES)
    adds = [second for second, d in enumerate(follow(scaler, BUSY, 25, Seen("a", STARTING))) if d.adds]
    assert adds == [10, 20]


def test_a_short_burst_adds_nothing() -> None:
    scaler = Scaler(RULES)
    assert not any(d.adds for d in follow(scaler, BUSY, 9))
    scaler.decide(9, CALM, ())
    assert not any(d.adds for d in follow(scaler, BUSY, 19, since_s=10))


def test_replicas_that_still_start_count_as_help_on_its_way() -> None:
    three = [Seen("a", READY), Seen("b", STARTING), Seen("c", STARTING)]
    crowd = Load(waiting=15, running=40)  # 4 for each of 4 are put up with
    assert not any(d.adds for d in follow(Scaler(RULES), crowd, 30, *three))


def test_there_are_never_more_than_the_most() -> None:
    three = [Seen(name, READY) for name in "abc"]
    assert not any(d.adds for d in follow(Scaler(RULES), BUSY, 60, *three))


def test_the_last_one_stays_while_the_session_itself_cannot_answer() -> None:
    scaler = Scaler(RULES)
    two = [Seen("a", READY), Seen("b", READY)]
    drains = [d for second in range(200) if (d := scaler.decide(second, IDLE, two, must_stay=True)).drains]
    assert len(drains) == 3  # down to one at 60, 120, 180, were they heeded
    one = [Seen("a", READY)]
    assert not any(scaler.decide(second, IDLE, one, must_stay=True).drains for second in range(200, 900))
    assert scaler.decide(900, IDLE, one).drains == ("a",)


def test_the_least_is_kept_whatever_the_load() -> None:
    scaler = Scaler(Scale(min_replicas=2, max_replicas=2, drain_after_s=1))
    assert scaler.decide(0, IDLE, ()).adds
    assert not any(d.drains for d in follow(scaler, IDLE, 30, Seen("a", READY)))


def test_one_that_waits_in_the_queue_is_enough() -> None:
    decisions = follow(Scaler(RULES), BUSY, 30, Seen("a", QUEUED))
    assert not any(d.adds for d in decisions)
    assert "waits in Slurm's queue already" in decisions[-1].note


def test_one_that_can_never_begin_is_taken_back_and_not_tried_again_at_once() -> None:
    scaler = Scaler(Scale(min_replicas=2, max_replicas=2))
    assert scaler.decide(0, IDLE, [Seen("a", QUEUED, waits_in_vain=True)]).drains == ("a",)
    assert not scaler.decide(1, IDLE, ()).adds
    assert scaler.decide(RETRY_AFTER_S + 1, IDLE, ()).adds


def test_the_least_busy_goes_when_one_fewer_has_sufficed_for_long_enough() -> None:
    replicas = [Seen("busy", READY, running=3), Seen("idle", READY, running=0)]
    decisions = follow(Scaler(RULES), CALM, 62, *replicas)
    assert [(s, d.drains) for s, d in enumerate(decisions) if d.drains] == [(60, ("idle",))]


def test_one_that_cannot_answer_yet_goes_before_one_that_can() -> None:
    replicas = [Seen("ready", READY), Seen("early", QUEUED, since_s=1), Seen("late", QUEUED, since_s=2)]
    scaler = Scaler(RULES)
    scaler.decide(0, IDLE, replicas)
    assert scaler.decide(60, IDLE, replicas).drains == ("late",)


def test_nothing_goes_while_the_rest_would_be_more_than_half_full() -> None:
    """Between too many waiting and too few running lies a wide range in which nothing changes."""
    load = Load(waiting=0, running=9, slots=16)
    assert not any(d != Decision() for d in follow(Scaler(RULES), load, 200, Seen("a", READY)))


def test_one_that_drains_counts_no_more() -> None:
    draining = Seen("a", OtherPhase.DRAINING, running=5)
    scaler = Scaler(Scale(min_replicas=2, max_replicas=2))
    assert scaler.decide(0, IDLE, [draining]).adds
    assert not any(d.drains for d in follow(Scaler(RULES), IDLE, 200, draining))


def test_switched_off_all_go_at_once_and_a_lower_limit_takes_the_surplus() -> None:
    replicas = [Seen("a", READY, running=9), Seen("b", READY, running=1), Seen("c", STARTING)]
    assert set(Scaler(Scale(is_on=False)).decide(0, BUSY, replicas).drains) == {"a", "b", "c"}
    assert Scaler(Scale(max_replicas=2)).decide(0, BUSY, replicas).drains == ("c", "b")


def test_after_failures_it_waits_longer_each_time_and_then_gives_up() -> None:
    scaler = Scaler(Scale(min_replicas=2, max_replicas=2))
    waits, now_s = [], 0.0
    for _ in range(MOST_FAILURES - 1):
        scaler.note_failure(now_s)
        began_s = now_s
        while not scaler.decide(now_s, IDLE, ()).adds:
            now_s += 1
        waits.append(now_s - began_s)
    assert waits == [RETRY_AFTER_S, 2 * RETRY_AFTER_S, 4 * RETRY_AFTER_S]
    scaler.note_failure(now_s)
    told = scaler.decide(now_s + 10_000, IDLE, ())
    assert not told.adds
    assert f"{MOST_FAILURES} replicas in a row failed" in told.note
    scaler.note_health()
    assert scaler.decide(now_s + 10_000, IDLE, ()).adds


def test_a_refusal_is_told_instead_of_an_addition() -> None:
    scaler = Scaler(Scale(min_replicas=2, max_replicas=2))
    assert scaler.decide(0, IDLE, (), refusal="No budget.") == Decision(note="No budget.")


def test_without_a_budget_or_a_price_a_replica_gets_the_time_that_is_left() -> None:
    assert Purse(budget=None, su_per_h=100, bound=1e9).afford_s(3599) == 3540
    assert Purse(budget=1, su_per_h=0, bound=0).afford_s(3600) == 3600


def test_a_replica_gets_no_more_time_than_the_budget_leaves() -> None:
    purse = Purse(budget=150, su_per_h=100, bound=100)
    assert purse.afford_s(7200) == 1740  # half an hour, less the minute by which Slurm may be late
    assert explain_no_room(purse, 7200, "SU") == ""


@given(
    budget=st.floats(0, 1000),
    su_per_h=st.floats(0.1, 500),
    wanted_s=st.floats(0, 86400),
    steps=st.integers(1, 6),
)
def test_the_budget_is_never_exceeded_even_if_all_run_to_their_end(
    budget: float, su_per_h: float, wanted_s: float, steps: int
) -> None:
    bound = 0.0
    for _ in range(steps):
        purse = Purse(budget, su_per_h, bound)
        if explain_no_room(purse, wanted_s, "SU"):
            break
        bound += su_per_h * (purse.afford_s(wanted_s) + 60) / 3600
    assert bound <= budget + 1e-6


@pytest.mark.parametrize(
    ("purse", "wanted_s", "told"),
    [
        (
            Purse(budget=120, su_per_h=100, bound=110),
            7200,
            "The budget of 120 SU doesn't allow another replica",
        ),
        (Purse(budget=None, su_per_h=100, bound=0), LEAST_S - 1, "The session ends too soon"),
        (Purse(budget=None, su_per_h=100, bound=0), -60, "(in 0 min)"),
    ],
)
def test_why_there_can_be_none_is_told(purse: Purse, wanted_s: float, told: str) -> None:
    assert told in explain_no_room(purse, wanted_s, "SU")
