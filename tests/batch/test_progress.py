"""What is told of a batch: rates of the last half minute, time left, cost."""

from __future__ import annotations

import time

from curc_llm.batch.progress import Progress, RunState, Tracker
from curc_llm.batch.watching import describe_end, render_line


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def run_rows(tracker: Tracker, clock: Clock, seconds: float, rows_per_s: int) -> None:
    for _ in range(round(seconds)):
        clock.now_s += 1
        for _ in range(rows_per_s):
            tracker.add_done(10, 20)
        tracker.tick()


def test_rates_are_of_the_last_half_minute() -> None:
    clock = Clock()
    tracker = Tracker(10_000, clock=clock)
    tracker.set_state(RunState.ASKING)
    run_rows(tracker, clock, 60, 1)
    run_rows(tracker, clock, 40, 5)
    progress = tracker.progress
    assert abs(progress.rows_per_s - 5) < 0.2
    assert abs(progress.tokens_per_s - 100) < 4
    assert progress.eta_s is not None
    assert abs(progress.eta_s - (10_000 - 260) / 5) < 100


def test_until_the_first_row_ends_the_engine_s_own_count_tells_the_speed() -> None:
    clock = Clock()
    tracker = Tracker(100, clock=clock)
    tracker.set_state(RunState.ASKING)
    for written in (5000.0, 5300.0, 5600.0):
        clock.now_s += 1
        tracker.note_written(written)
    assert tracker.progress.tokens_per_s == 300
    assert "300 tokens/s" in render_line(tracker.progress)
    assert tracker.progress.eta_s is None
    tracker.set_state(RunState.WAITING, "The engine is restarted.")
    assert tracker.progress.tokens_per_s == 0
    tracker.set_state(RunState.ASKING)
    tracker.note_written(7000.0)
    clock.now_s += 2
    tracker.add_done(10, 20)
    tracker.note_written(9000.0)
    assert tracker.progress.tokens_per_s == 10  # from now on its own rows alone


def test_time_spent_waiting_does_not_count_for_the_rate() -> None:
    clock = Clock()
    tracker = Tracker(1000, clock=clock)
    tracker.set_state(RunState.ASKING)
    run_rows(tracker, clock, 10, 10)
    tracker.set_state(RunState.WAITING, "The engine is restarted.")
    clock.now_s += 600
    tracker.set_state(RunState.ASKING)
    run_rows(tracker, clock, 10, 10)
    assert abs(tracker.progress.rows_per_s - 10) < 0.5


def test_rows_of_earlier_runs_count_as_done_but_not_for_the_rate() -> None:
    clock = Clock()
    tracker = Tracker(1000, 500, 20, clock=clock)
    tracker.set_state(RunState.ASKING)
    run_rows(tracker, clock, 10, 1)
    progress = tracker.progress
    assert (progress.done, progress.failed, progress.resumed, progress.settled) == (510, 20, 520, 530)
    assert abs(progress.rows_per_s - 1) < 0.1
    assert progress.fraction == 0.53


def test_cost_is_the_session_s_while_the_batch_runs() -> None:
    clock = Clock()
    tracker = Tracker(100, su_per_h=120.0, clock=clock)
    tracker.set_state(RunState.ASKING)
    run_rows(tracker, clock, 30, 1)
    progress = tracker.progress
    assert abs((progress.su_used or 0) - 1.0) < 0.01
    assert abs((progress.su_eta or 0) - 70 / 30) < 0.2
    assert Tracker(1).progress.su_used is None


def test_a_batch_that_outlives_its_session_is_told() -> None:
    clock = Clock()
    tracker = Tracker(10_000, ends_at=time.time() + 60, clock=clock)
    tracker.set_state(RunState.ASKING)
    run_rows(tracker, clock, 10, 1)
    assert tracker.progress.outlives_session
    assert "(the session ends before)" in render_line(tracker.progress)


def test_after_the_end_the_clock_stands_still() -> None:
    clock = Clock()
    tracker = Tracker(10, clock=clock)
    run_rows(tracker, clock, 10, 1)
    tracker.set_state(RunState.DONE)
    clock.now_s += 1000
    assert tracker.progress.elapsed_s == 10
    assert tracker.progress.rows_per_s == 1


def test_the_most_frequent_reasons_come_first() -> None:
    tracker = Tracker(10)
    for reason in ("a", "b", "b"):
        tracker.add_failed(reason)
    assert tracker.progress.reasons == (("b", 2), ("a", 1))


def test_the_line_says_what_matters() -> None:
    progress = Progress(
        done=1200, failed=3, total=5000, state=RunState.WAITING, note="The model is loading.",
        rows_per_s=12.34, tokens_per_s=987.6, eta_s=308.0, su_used=4.2,
    )  # fmt: skip
    assert render_line(progress) == (
        "1,203 of 5,000 rows, 3 failed, 12.3 rows/s, 988 tokens/s, about 5 min 8 s left, 4.2 SU, "
        "waiting: The model is loading."
    )


def test_an_end_without_failures_needs_no_words() -> None:
    assert describe_end(Progress(done=3, total=3), "out.jsonl") == []


def test_an_end_says_what_failed_and_what_was_done_earlier() -> None:
    progress = Progress(done=2, failed=1, total=3, resumed=1, reasons=(("Too long.", 1),))
    earlier, failed = describe_end(progress, "out.jsonl")
    assert earlier.startswith("1 of 3 rows were done earlier, in out.jsonl; resume=False")
    assert failed.startswith("1 of 3 rows failed (1 times: Too long.). Their reasons are in out.jsonl;")
