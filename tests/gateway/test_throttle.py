"""Guessing and asking too often, with a clock of our own."""

from __future__ import annotations

from curc_llm.gateway import throttle
from curc_llm.gateway.throttle import FailureThrottle, RequestRate


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_failures_beyond_the_limit_wait_until_their_minute_is_over() -> None:
    clock = Clock()
    failures = FailureThrottle(3, clock)
    assert [failures.count("a") for _ in range(3)] == [0, 0, 0]
    clock.now += 20
    assert failures.count("a") == 40
    assert failures.is_first_beyond("a")
    assert failures.count("a") == 40
    assert not failures.is_first_beyond("a")
    assert failures.count("b") == 0
    clock.now += 40
    assert failures.count("a") == 0


def test_addresses_are_forgotten_so_that_memory_stays_bounded() -> None:
    clock = Clock()
    failures = FailureThrottle(1, clock)
    for n in range(throttle._MAX_PEERS + 500):
        failures.count(str(n))
    assert len(failures._windows) == throttle._MAX_PEERS
    clock.now += 61
    failures.count("last")
    assert list(failures._windows) == ["last"]


def test_a_rate_is_a_minute_s_worth_at_once_and_then_an_even_flow() -> None:
    clock = Clock()
    rate = RequestRate(clock)
    assert [rate.take("k", 2) for _ in range(3)] == [0, 0, 30]
    clock.now += 29
    assert rate.take("k", 2) == 1
    clock.now += 1
    assert rate.take("k", 2) == 0
    clock.now += 3600
    assert [rate.take("k", 2) for _ in range(3)] == [0, 0, 30]


def test_a_key_without_a_rate_is_never_stopped() -> None:
    rate = RequestRate(Clock())
    assert {rate.take("k", 0) for _ in range(1000)} == {0}
