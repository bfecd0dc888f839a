"""What to type instead of a launch that can't work."""

from __future__ import annotations

from curc_llm.cli.serve import serve
from curc_llm.launch.remedy import SERVE_OPTIONS, render_changes, render_remedy
from curc_llm.plan.plan import Alternative
from curc_llm.plan.request import PlanRequest

ASKED = PlanRequest(model="m", max_model_len=32768)


def make_alternative(change: str, **fields: object) -> Alternative:
    request = PlanRequest.model_validate({**ASKED.model_dump(), **fields})
    return Alternative(change=change, request=request, command="curc-llm plan m", su_total=0)


def test_the_nearest_are_told_with_what_to_add() -> None:
    alternatives = [
        make_alternative("8,192 tokens", max_model_len=8192),
        make_alternative("in fp8", quantisation="fp8", num_gpus=2),
    ]
    assert render_remedy(alternatives, ASKED) == (
        "What fits here: 8,192 tokens (--max-model-len 8192); or in fp8 (--quantisation fp8 --num-gpus 2)."
    )


def test_without_a_gpu_no_number_of_gpus_is_told() -> None:
    request = ASKED.model_copy(update={"gpu_type": "cpu", "num_gpus": 1, "quantisation": "awq-int4"})
    assert render_changes(request, ASKED) == "--quantisation awq-int4"


def test_where_nothing_fits_the_planner_is_named() -> None:
    assert "curc-llm plan" in render_remedy([], ASKED)
    assert "curc-llm plan" in render_remedy([make_alternative("another site", qos="long")], ASKED)


def test_serve_has_every_option_that_a_remedy_may_name() -> None:
    assert {option.name for option in serve.params} >= SERVE_OPTIONS
