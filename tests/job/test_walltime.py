"""Warnings before the end of the wall time, each once, and a drain."""

from __future__ import annotations

from curc_llm.job.walltime import WallClock


def test_each_warning_is_given_once() -> None:
    clock = WallClock(ends_s=3600, drain_s=20)
    given = [m for now_s in range(3600) if (m := clock.due_warning_min(now_s)) is not None]
    assert given == [15, 5, 1]


def test_a_late_start_gives_only_the_warning_that_is_news() -> None:
    clock = WallClock(ends_s=200, drain_s=20)
    assert clock.due_warning_min(now_s=0) == 5
    clock = WallClock(ends_s=200, drain_s=20)
    clock.skip_passed(now_s=0)
    assert clock.due_warning_min(now_s=0) is None
    assert clock.due_warning_min(now_s=140) == 1


def test_it_drains_before_the_end() -> None:
    clock = WallClock(ends_s=100, drain_s=20)
    assert [clock.must_drain(now_s) for now_s in (79, 80, 100)] == [False, True, True]
    assert [clock.is_over(now_s) for now_s in (99, 100)] == [False, True]


def test_without_an_end_nothing_is_ever_due() -> None:
    clock = WallClock(ends_s=None, drain_s=20)
    assert clock.due_warning_min(1e9) is None
    assert not clock.must_drain(1e9)
    assert not clock.is_over(1e9)
    assert clock.left_s(1e9) is None
