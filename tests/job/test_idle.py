"""An unused session is warned, then ended; a used one never is."""

from __future__ import annotations

from curc_llm.job.idle import IdleClock, IdleVerdict


def test_it_warns_five_minutes_before_it_stops() -> None:
    clock = IdleClock(limit_s=1800, last_used_s=0)
    verdicts = [clock.verdict(now_s) for now_s in (1499, 1500, 1799, 1800)]
    assert verdicts == [IdleVerdict.IN_USE, IdleVerdict.WARN, IdleVerdict.WARN, IdleVerdict.STOP]


def test_a_running_request_keeps_it_alive_however_long_it_takes() -> None:
    clock = IdleClock(limit_s=60, last_used_s=0)
    clock.note(busy=True, last_used_s=1)
    assert clock.verdict(now_s=100_000) is IdleVerdict.IN_USE
    assert clock.left_s(now_s=100_000) is None


def test_the_end_of_a_request_starts_the_clock_anew() -> None:
    clock = IdleClock(limit_s=60, last_used_s=0)
    clock.note(busy=False, last_used_s=50)
    assert clock.left_s(now_s=70) == 40


def test_old_news_never_sets_the_clock_back() -> None:
    clock = IdleClock(limit_s=60, last_used_s=100)
    clock.note(busy=False, last_used_s=10)
    assert clock.left_s(now_s=100) == 60


def test_zero_means_never() -> None:
    assert IdleClock(limit_s=0, last_used_s=0).verdict(now_s=1e9) is IdleVerdict.IN_USE
