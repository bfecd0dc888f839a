"""An engine planned again inside its job; what allocation tests don't show."""

from __future__ import annotations

from curc_llm.launch.replanning import plan_again
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings
from curc_llm.spec import EngineSpec, Origin

ENGINE = EngineSpec(served_model_name="m", model="me/m", is_local=False)


def test_a_model_that_was_not_planned_stays_as_it_is(settings: Settings) -> None:
    assert plan_again(ENGINE, Origin(wanted="m"), settings) == (ENGINE, ())


def test_a_model_that_nothing_is_known_of_here_is_left_to_vllm(settings: Settings) -> None:
    from curc_llm.plan.plan import Plan

    request = PlanRequest(model="nobody/knows-it")
    plan = Plan(fits=True, request=request, num_gpus=1, gpu_type="l40", max_model_len=2048)
    origin = Origin(wanted="nobody/knows-it", request=request, plan=plan)
    assert plan_again(ENGINE, origin, settings) == (ENGINE, ())
