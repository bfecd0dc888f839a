from __future__ import annotations

import pytest

from curc_llm.plan.cost import cost_steps, older_su, su_per_h
from tests.plan.shipped import facts_of, offer_of, plan

SITE = facts_of("alpine").site


def test_curc_s_own_example_of_three_a100_and_64_cores_is_389_8_su() -> None:
    gpu = offer_of("a100-40gb").gpu
    assert su_per_h(SITE.billing, SITE.qos["gpu-normal"], gpu, num_gpus=3, cores=64) == pytest.approx(389.8)


def test_a_day_on_one_a100_with_all_its_cores_is_about_3110_su() -> None:
    gpu = offer_of("a100-40gb").gpu
    rate = su_per_h(SITE.billing, SITE.qos["gpu-normal"], gpu, num_gpus=1, cores=21)
    assert rate * 24 == pytest.approx(3110.4)


def test_the_test_qos_costs_a_tenth() -> None:
    gpu = offer_of("a100_3g.20gb").gpu
    rate = su_per_h(SITE.billing, SITE.qos["gpu-testing"], gpu, num_gpus=1, cores=10)
    assert rate == pytest.approx(6.43)


@pytest.mark.parametrize(("hours", "num_gpus", "su"), [(24, 1, 2606), (8, 4, 3475)])
def test_the_older_formula_gives_the_figures_of_the_older_documents(
    hours: float, num_gpus: int, su: int
) -> None:
    assert round(older_su(hours, num_gpus)) == su


def test_a_year_of_350000_su_is_134_days_of_one_gpu_and_not_134_hours() -> None:
    assert 350_000 / older_su(24, 1) == pytest.approx(134, abs=0.5)


def test_a_site_that_counts_gpu_hours_charges_no_cores() -> None:
    made = plan("qwen3-8b", "capella", num_gpus=2, hours=3)
    assert (made.su_per_h, made.su_total) == (2.0, 6.0)


def test_the_cost_is_explained_with_its_numbers() -> None:
    gpu = offer_of("l40").gpu
    hourly, total = cost_steps(SITE.billing, SITE.qos["gpu-normal"], gpu, num_gpus=2, cores=20, hours=10)
    assert hourly.numbers == "(1 x 20 + 108.6 x 2) x 1"
    assert (hourly.result, total.result) == ("237.2 SU/h", "2,372 SU")
