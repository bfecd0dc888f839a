from __future__ import annotations

from curc_llm.plan.refusal import Refusal, count_gpus, first_of
from tests.plan.shipped import plan


def test_weights_that_do_not_fit_are_told_with_what_they_need_and_what_there_is() -> None:
    made = plan("qwen2.5-72b-instruct", gpu_type="l40", num_gpus=1, quantisation="bf16")
    assert made.reason.startswith("Qwen2.5 72B Instruct in bf16 needs 135.4 GiB for its weights and ")
    assert "more than 1 x l40 can hold" in made.reason
    assert "39.9 of the 44.3 GiB" in made.reason
    assert made.weights_gib == 135.43
    assert made.memory is not None


def test_a_context_that_does_not_fit_is_told_with_what_would() -> None:
    made = plan(
        "llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=2, max_model_len=100_000, quantisation="bf16"
    )
    assert "room for 26,240 tokens, not for the 100,000 that were asked for." in made.reason


def test_the_weights_that_come_nearest_to_fitting_are_the_ones_told() -> None:
    assert "in awq-int4" in plan("qwen2.5-72b-instruct", gpu_type="l40", num_gpus=1).reason


def test_gpus_that_hold_little_beside_the_weights_are_not_worth_a_launch() -> None:
    made = plan(
        "qwen3-32b", gpu_type="a100_80gb", num_gpus=1, quantisation="bf16", gpu_memory_utilization=0.79
    )
    assert not made.fits
    assert "fewer than the 2,048 that make a launch worth its cost" in made.reason


def test_a_refusal_has_everything_that_was_found_out_and_nothing_else() -> None:
    made = plan("qwen3-8b", gpu_type="a100_80gb", num_gpus=4, hours=2)
    assert (made.fits, made.su_total, made.max_model_len, made.vllm_fields) == (False, None, None, {})
    assert (made.site, made.model, made.gpu_type, made.hours) == ("alpine", "qwen3-8b", "a100_80gb", 2)


def test_the_refusal_that_came_furthest_is_told() -> None:
    place, layout = Refusal("place", "a."), Refusal("layout", "b.")
    assert first_of([place, layout]) is layout
    assert count_gpus(1, "l40") == "1 x l40"


def test_hours_in_which_the_model_is_not_even_loaded_are_refused_with_more() -> None:
    made = plan("qwen3-8b", gpu_type="h200", num_gpus=1, hours=0.01)
    assert made.reason.startswith("Qwen3 8B needs about 2 min to load; 0.01 h were asked for")
    assert made.alternatives[0].change == "0.25 h instead of 0.01"
    assert plan("qwen3-8b", gpu_type="h200", num_gpus=1, hours=0.25).fits
    assert "a100" not in plan("qwen3-8b", hours=0.01).reason


def test_what_fails_on_every_gpu_blames_none_that_nobody_named() -> None:
    stages = plan("qwen3-8b", pipeline_parallel_size=33).reason
    assert stages == "At CURC Alpine a job may have 4 GPUs of one type at most; 33 were asked for."
    share = plan("qwen3-8b", gpu_memory_utilization=1.0).reason
    assert share.startswith("gpu_memory_utilization 1 leaves too little of every GPU of CURC Alpine")
    wide = plan("qwen3-8b", tensor_parallel_size=99_999, data_parallel_size=99_999).reason
    assert "9,999,800,001 were asked for" in wide
