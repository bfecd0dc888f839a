"""The cost of a job by the cores that it really has."""

from __future__ import annotations

import pytest

from curc_llm.launch.given_cores import bill_given_cores
from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.plan.facts import Facts
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings
from curc_llm.spec import LaunchSpec


@pytest.fixture
def spec(settings: Settings, alpine: Facts) -> LaunchSpec:
    plan = PlanRequest(model="llama-3.1-8b-instruct", gpu_type="a100-40gb", num_gpus=1, hours=2)
    return make_slurm_spec(SessionRequest(plan=plan), settings, facts=alpine)


def test_more_cores_than_planned_cost_more(spec: LaunchSpec, alpine: Facts) -> None:
    plan = bill_given_cores(spec, alpine.site, {"SLURM_CPUS_ON_NODE": "21"}).origins[0].plan
    assert plan is not None
    assert (plan.cpus, plan.su_per_h, plan.su_total) == (21, pytest.approx(129.6), pytest.approx(259.2))


@pytest.mark.parametrize("given", ["", "many", "-3"])
def test_outside_of_a_job_the_plan_stays(spec: LaunchSpec, alpine: Facts, given: str) -> None:
    assert bill_given_cores(spec, alpine.site, {"SLURM_CPUS_ON_NODE": given}) == spec
