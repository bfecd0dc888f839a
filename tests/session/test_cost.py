from __future__ import annotations

import pytest

from curc_llm.session.cost import count_su, make_cost
from curc_llm.session.record import SessionRecord
from tests.fakes.fake_gateway import make_record

HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("now", "ended_at", "spent"),
    [(HOUR_S / 2, None, 50.0), (10 * HOUR_S, None, 400.0), (10 * HOUR_S, HOUR_S, 100.0), (-1.0, None, 0.0)],
)
def test_what_is_spent_grows_with_time_up_to_the_limit(
    now: float, ended_at: float | None, spent: float
) -> None:
    assert count_su({"su_per_h": 100.0, "su_most": 400.0, "since": 0.0}, now, ended_at) == spent


def test_a_job_that_waits_costs_nothing() -> None:
    assert count_su({"su_per_h": 100.0, "su_most": 400.0, "since": None}, 1e9) == 0.0


def test_where_nothing_is_charged_there_is_no_cost() -> None:
    assert make_cost(SessionRecord.model_validate(make_record()), None, "SU") is None
