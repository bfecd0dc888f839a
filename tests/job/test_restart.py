"""Three failures without ten healthy minutes between, then it is given up."""

from __future__ import annotations

from curc_llm.job.restart import RestartPolicy


def test_the_third_failure_in_a_row_is_the_last() -> None:
    policy = RestartPolicy()
    assert [policy.next_delay_s() for _ in range(3)] == [1.0, 4.0, None]


def test_ten_healthy_minutes_forgive_earlier_failures() -> None:
    policy = RestartPolicy()
    policy.next_delay_s()
    policy.next_delay_s()
    assert policy.next_delay_s(was_healthy_s=600) == 1.0
    assert policy.next_delay_s(was_healthy_s=599) == 4.0


def test_waiting_is_capped() -> None:
    policy = RestartPolicy(max_failures=10)
    assert max(delay for _ in range(9) if (delay := policy.next_delay_s()) is not None) == 30.0
