"""Tokens per second."""

from __future__ import annotations

from curc_llm.gateway.speed import Speedometer


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    speed = Speedometer()
    assert speed.rate(0, 100) == 0
    for second in range(30):
        speed.sample(second, second * 50)
    assert speed.rate(29, 29 * 50) == 50
    assert speed.rate(60, 1450) == 0


def test_a_count_that_shrinks_is_no_negative_rate() -> None:
    speed = Speedometer()
    speed.sample(0, 100)
    assert speed.rate(1, 90) == 0
