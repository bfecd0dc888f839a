from __future__ import annotations

import pytest

from curc_llm.errors import PlanError
from curc_llm.plan.candidates import QUALITY, Choice, asked_gpus, make_choices, make_counts, order_layouts
from curc_llm.plan.presets import NO_PRESET, find_preset
from curc_llm.plan.quantisation import ONLINE_FP8
from curc_llm.plan.refusal import Refusal
from curc_llm.plan.request import PlanRequest
from tests.plan.shipped import facts_of, offer_of

ALPINE = facts_of("alpine")


def kinds(model: str, wanted: str | None = None, preset: str | None = None) -> list[str]:
    chosen = find_preset(preset, ALPINE.presets)
    choices = make_choices(ALPINE.models[model], wanted, chosen)
    assert not isinstance(choices, Refusal)
    return [choice.quantisation for choice in choices]


def test_the_published_weights_come_first_and_the_others_by_quality() -> None:
    found = kinds("llama-3.1-70b-instruct")
    assert found[:2] == ["bf16", "fp8"]
    assert [QUALITY[kind] for kind in found] == sorted(QUALITY[kind] for kind in found)


def test_online_fp8_is_tried_only_where_no_fp8_is_published() -> None:
    for name, model in ALPINE.models.items():
        formats = {weights.format for weights in model.weights}
        can = bool({"bf16", "fp16"} & formats) and model.uses[0] != "embeddings"
        assert (ONLINE_FP8 in kinds(name)) == (can and "fp8" not in formats), name


def test_weights_finer_than_the_maker_s_own_come_last() -> None:
    model = ALPINE.models["llama-3.1-70b-instruct"]
    turned = model.model_copy(update={"weights": (model.weights[1], model.weights[0])})
    choices = make_choices(turned, None, NO_PRESET)
    assert isinstance(choices, tuple)
    assert (choices[0].quantisation, choices[-1].quantisation) == ("fp8", "bf16")


def test_people_s_words_for_formats_are_understood() -> None:
    assert kinds("llama-3.1-8b-instruct", "FP16")[0] == "bf16"
    assert kinds("qwen3-8b", "awq") == ["awq-int4"]
    assert set(kinds("qwen3-8b", "int4")) <= {"awq-int4", "w4a16", "gptq-int4"}
    assert kinds("qwen3-8b", "online-fp8") == [ONLINE_FP8]


def test_a_format_that_is_not_published_is_refused_with_those_that_are() -> None:
    found = make_choices(ALPINE.models["gpt-oss-20b"], "awq-int4", NO_PRESET)
    assert isinstance(found, Refusal)
    assert "isn't published in awq-int4" in found.reason
    assert "mxfp4" in found.reason
    online = make_choices(ALPINE.models["gpt-oss-20b"], "online-fp8", NO_PRESET)
    assert isinstance(online, Refusal)
    assert "no 16-bit weights" in online.reason


def test_a_word_that_is_no_format_names_the_nearest() -> None:
    with pytest.raises(PlanError) as error:
        make_choices(ALPINE.models["qwen3-8b"], "fp9", NO_PRESET)
    assert "Did you mean fp8?" in error.value.remedy


def test_a_preset_s_formats_come_first() -> None:
    assert kinds("qwen3-32b", preset="quantised")[0] == "fp8"
    assert "bf16" in kinds("qwen3-32b", preset="quantised")


def test_counts_follow_node_person_and_slice() -> None:
    def counts(gpu: str, site: str = "alpine") -> tuple[int, ...]:
        return make_counts(facts_of(site).site, offer_of(gpu, site), PlanRequest(model="m"))

    assert counts("a100_80gb") == (1, 2, 3)
    assert counts("h200") == (1, 2, 3, 4)
    assert counts("rtx_pro_6000_1g.24gb") == (1,)
    assert counts("h100", "capella")[:6] == (1, 2, 3, 4, 8, 12)
    assert max(counts("h100", "capella")) == 64


@pytest.mark.parametrize(
    ("asked", "num_gpus"),
    [
        ({"num_gpus": 3}, 3),
        ({"tensor_parallel_size": 2, "data_parallel_size": 2}, 4),
        ({"num_nodes": 2}, 8),
        ({}, None),
    ],
)
def test_what_is_asked_of_gpus_in_any_way_is_one_number(asked: dict[str, int], num_gpus: int | None) -> None:
    assert asked_gpus(PlanRequest(model="m", **asked), offer_of("h200")) == num_gpus


def sizes(
    model: str, gpu: str, num_gpus: int, goal: str, site: str = "alpine", nodes: int = 1
) -> list[tuple[int, ...]]:
    found = order_layouts(facts_of(site).models[model], offer_of(gpu, site), num_gpus, nodes, "bf16", goal)  # type: ignore[arg-type]
    return [(x.tensor_parallel_size, x.pipeline_parallel_size, x.data_parallel_size) for x in found]


def test_one_fast_copy_is_preferred_and_many_copies_for_throughput() -> None:
    assert sizes("llama-3.1-8b-instruct", "h200", 4, "balanced")[0] == (4, 1, 1)
    assert sizes("llama-3.1-8b-instruct", "h200", 4, "throughput")[0] == (1, 1, 4)


def test_three_gpus_become_copies_and_else_pipeline_stages() -> None:
    assert sizes("llama-3.1-8b-instruct", "a100_80gb", 3, "balanced") == [(1, 1, 3), (1, 3, 1)]


def test_over_nodes_experts_are_not_copied_before_a_pipeline_is_tried() -> None:
    found = sizes("qwen3-235b-a22b-instruct-2507", "h100", 8, "balanced", "capella", nodes=2)
    assert found[0] == (4, 2, 1)


def test_a_choice_says_when_vllm_quantises_by_itself() -> None:
    weights = ALPINE.models["qwen3-8b"].weights[0]
    assert Choice(weights, ONLINE_FP8).is_online
    assert not Choice(weights, "bf16").is_online
