"""The launches of the user's documents, bad input, and what must hold for every plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curc_llm.catalogue.model import Model
from curc_llm.errors import CurcLlmError, ModelNotFoundError, PlanError, SiteError
from curc_llm.plan.facts import Wishes, load_facts
from curc_llm.plan.flags import render_flags
from curc_llm.plan.plan import Plan
from curc_llm.plan.planner import make_plan, make_request
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import load_settings
from curc_llm.sites.card import Card
from curc_llm.sites.site import Site
from tests.plan.shipped import facts_of, offer_of, plan

ALPINE = facts_of("alpine")
SITES = ("alpine", "capella")


# -- The user's documents ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "weights_gb", "asked"),
    [
        ("llama-3.1-8b-instruct", 16, {"gpu_type": "l40", "num_gpus": 1, "quantisation": "fp16"}),
        ("llama-2-13b-chat", 26, {"gpu_type": "a100_80gb", "num_gpus": 1}),
        ("codellama-34b-instruct", 68, {"gpu_type": "a100_80gb", "num_gpus": 1}),
        ("llama-3.1-70b-instruct", 140, {"gpu_type": "a100_80gb", "num_gpus": 2, "quantisation": "bf16"}),
    ],
)
def test_what_the_documents_put_on_alpine_s_gpus_fits_there(
    model: str, weights_gb: float, asked: dict[str, Any]
) -> None:
    made = plan(model, **asked)
    assert made.fits, made.reason
    assert made.weights_gib is not None
    assert made.weights_gib * 1.0737 == pytest.approx(weights_gb, rel=0.05)
    assert (made.max_model_len or 0) >= 4096


def test_70b_on_four_a100_is_refused_on_alpine_whose_nodes_have_three() -> None:
    made = plan("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=4, tensor_parallel_size=4)
    assert not made.fits
    assert "3 a100_80gb each" in made.reason
    layout = "tensor_parallel_size 1 x pipeline_parallel_size 3 instead of tensor_parallel_size 4"
    assert made.alternatives[0].change == f"3 GPUs instead of 4, {layout}, in fp8"
    elsewhere = plan("llama-3.1-70b-instruct", "capella", num_gpus=4, tensor_parallel_size=4)
    assert elsewhere.fits
    assert (elsewhere.tensor_parallel_size, elsewhere.num_nodes) == (4, 1)


def test_405b_in_16_bits_takes_ten_large_gpus_and_not_eight() -> None:
    ten = plan("llama-3.1-405b-instruct", "capella", num_gpus=10, quantisation="bf16")
    assert ten.fits, ten.reason
    eight = plan("llama-3.1-405b-instruct", "capella", num_gpus=8, quantisation="bf16")
    assert not eight.fits
    assert "756.0 GiB for its weights" in eight.reason
    assert eight.alternatives[0].change == "8 x h100, fp8 instead of bf16"
    assert "10 GPUs instead of 8" in [a.change for a in eight.alternatives]
    alpine = plan("llama-3.1-405b-instruct", gpu_type="a100_80gb", num_gpus=8)
    assert not alpine.fits
    assert alpine.alternatives[0].request.gpu_type == "h200"


@pytest.mark.parametrize(("quantisation", "least", "most"), [("fp8", 0.45, 0.55), ("int4", 0.2, 0.35)])
def test_quantised_weights_are_50_to_75_percent_smaller(quantisation: str, least: float, most: float) -> None:
    plain = plan("llama-3.1-70b-instruct", gpu_type="h200", num_gpus=2, quantisation="bf16")
    small = plan("llama-3.1-70b-instruct", gpu_type="h200", num_gpus=2, quantisation=quantisation)
    assert least < (small.weights_gib or 0) / (plain.weights_gib or 1) < most


@pytest.mark.parametrize(
    ("model", "num_gpus", "num_nodes", "quantisation"),
    [
        ("gpt-oss-20b", 1, 1, None),
        ("gpt-oss-120b", 1, 1, None),
        ("glm-4.7-flash", 2, 1, None),
        ("glm-4.6v", 2, 1, "fp8"),
        ("llama-4-scout", 2, 1, None),
        ("glm-4.6v", 4, 1, "fp16"),
        ("glm-4.7", 8, 2, None),
        ("qwen3-vl-235b-a22b-instruct", 8, 2, None),
        ("llama-4-maverick", 8, 2, None),
    ],
)
def test_what_the_documents_run_on_the_second_site_fits_there(
    model: str, num_gpus: int, num_nodes: int, quantisation: str | None
) -> None:
    made = plan(model, "capella", num_gpus=num_gpus, num_nodes=num_nodes, quantisation=quantisation)
    assert made.fits, made.reason
    assert (made.num_gpus, made.num_nodes) == (num_gpus, num_nodes)
    assert (made.max_model_len or 0) >= 8192
    assert any("refuses jobs without an account" in warning for warning in made.warnings)


# -- Choices ----------------------------------------------------------------------------------------------


def test_the_best_quality_with_useful_room_on_the_named_gpus_is_chosen_and_said() -> None:
    two = plan("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=2)
    assert (two.quantisation, two.quantisation_use) == ("fp8", "weight-only")
    assert any("fp8 weights were chosen" in warning for warning in two.warnings)
    assert two.alternatives[0].change.startswith("finer weights: 2 x a100_80gb in bf16")
    assert "1 request of that length" in two.alternatives[0].change
    asked = plan("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=2, quantisation="bf16")
    assert (asked.quantisation, asked.fits, asked.alternatives) == ("bf16", True, ())
    assert plan("llama-3.1-8b-instruct", gpu_type="a100_80gb", num_gpus=1).quantisation == "bf16"
    one = plan("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=1)
    assert one.quantisation in ("awq-int4", "w4a16", "gptq-int4")


def test_without_wishes_the_cheapest_gpu_with_useful_room_is_recommended() -> None:
    made = plan("llama-3.1-8b-instruct")
    assert made.fits
    at_8k = plan("llama-3.1-8b-instruct", gpu_type=made.gpu_type, num_gpus=made.num_gpus, max_model_len=8192)
    assert (at_8k.max_concurrency or 0) >= 4
    for offer in ALPINE.offers:
        other = plan("llama-3.1-8b-instruct", gpu_type=offer.gpu_name, num_gpus=1, quantisation="bf16")
        if other.fits and (other.su_per_h or 0) < (made.su_per_h or 0):
            smaller = plan("llama-3.1-8b-instruct", gpu_type=offer.gpu_name, num_gpus=1, max_model_len=8192)
            assert (smaller.max_concurrency or 0) < 4 or offer.gpu_name == "a100_3g.20gb"


def test_70b_gets_fp8_on_the_cheapest_useful_gpus_and_16_bits_are_named_beside() -> None:
    made = plan("llama-3.1-70b-instruct")
    assert (made.quantisation, made.tensor_parallel_size) == ("fp8", 2)
    assert (made.su_per_h or 0) < (plan("llama-3.1-70b-instruct", gpu_type="h200").su_per_h or 0)
    assert (made.decode_tokens_per_s or 0) >= 15
    finer, smallest = made.alternatives
    assert "in bf16" in finer.change
    assert make_plan(finer.request, ALPINE).fits
    assert (smallest.change.startswith("smallest: 1 x "), "int4" in smallest.change) == (True, True)


@pytest.mark.slow
def test_eight_bits_and_what_the_maker_released_are_as_good_as_16_bits_and_4_bit_copies_are_not() -> None:
    for name in ALPINE.models:
        made = plan(name)
        if made.fits and made.quantisation in ("awq-int4", "gptq-int4", "nvfp4", "w4a16", "mxfp4"):
            best = plan(name, quantisation=ALPINE.models[name].weights[0].format)
            is_released = made.quantisation == ALPINE.models[name].weights[0].format
            assert is_released or not best.fits or "There is little room" in " ".join(best.warnings), name
    assert plan("gpt-oss-120b").quantisation == "mxfp4"


def test_tensor_parallelism_is_not_given_up_for_pipeline_stages_with_a_little_more_room() -> None:
    for num_gpus in (2, 4):
        made = plan("llama-3.1-70b-instruct", "capella", num_gpus=num_gpus, quantisation="bf16")
        assert (made.tensor_parallel_size, made.pipeline_parallel_size) == (num_gpus, 1)
    three = plan("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=3, quantisation="bf16")
    assert three.pipeline_parallel_size == 3
    assert "It answers slowly: about 11 tokens a second" in " ".join(three.warnings)


def test_a_preset_for_quick_answers_takes_a_quicker_gpu_than_the_cheapest() -> None:
    made, plain = plan("llama-3.1-8b-instruct", preset="low-latency"), plan("llama-3.1-8b-instruct")
    assert (made.decode_tokens_per_s or 0) >= 50 > (plain.decode_tokens_per_s or 0)
    faster = next(a for a in plain.alternatives if a.change.startswith("faster: "))
    assert (make_plan(faster.request, ALPINE).decode_tokens_per_s or 0) >= 2 * (
        plain.decode_tokens_per_s or 0
    )


def test_a_preset_for_quick_answers_takes_the_quickest_where_none_is_quick_enough() -> None:
    model = "llama-3.1-405b-instruct"
    preset = ALPINE.presets.presets["low-latency"]
    strict = preset.model_copy(update={"min_tokens_per_s": 10_000})
    presets = ALPINE.presets.model_copy(update={"presets": {**ALPINE.presets.presets, "low-latency": strict}})
    request = PlanRequest(model=model, preset="low-latency", quantisation="awq-int4")
    quickest = make_plan(request, replace(ALPINE, presets=presets, worked_out={}))
    assert (quickest.gpu_type, quickest.num_gpus) == ("h200", 4)
    assert plan(model, quantisation="awq-int4").num_gpus == 2


def test_no_more_requests_at_once_than_a_model_with_states_has_blocks_for() -> None:
    asked = {"gpu_type": "rtx_pro_6000", "num_gpus": 1, "quantisation": "bf16", "max_num_seqs": 2000}
    made = plan("qwen3.8-27b", **asked)
    assert made.fits, made.reason
    assert (made.max_num_seqs or 0) < 1000
    assert made.vllm_fields["max_num_seqs"] == made.max_num_seqs
    assert f"At most {made.max_num_seqs:,} of the 2,000 requests" in " ".join(made.warnings)


def test_the_smallest_launch_is_named_beside_the_recommended_one() -> None:
    made = plan("llama-3.1-405b-instruct")
    assert made.fits
    smallest = made.alternatives[-1]
    assert smallest.change.startswith("smallest: ")
    assert smallest.su_total < (made.su_total or 0)
    assert make_plan(smallest.request, ALPINE).fits


@pytest.mark.slow
def test_gpus_that_need_permission_or_serve_tests_are_never_chosen_unasked() -> None:
    for name in ALPINE.models:
        made = plan(name)
        assert made.gpu_type not in ("gh200", "mi100", "a100_3g.20gb"), name


def test_gpus_that_need_permission_are_planned_when_they_are_named() -> None:
    made = plan("qwen3-8b", gpu_type="gh200")
    assert made.fits
    told = " ".join(made.warnings)
    assert "for people who have asked CURC Alpine" in told
    assert "ARM processors" in told


def test_a_context_that_nobody_asked_for_is_lowered_to_a_clean_number_and_said() -> None:
    made = plan("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=2, quantisation="bf16")
    assert made.fits
    assert made.max_model_len is not None
    assert made.max_model_len < 32768
    assert made.max_model_len % 1024 == 0
    assert f"lowered from 32,768 to {made.max_model_len:,} tokens" in made.warnings[0]


def test_a_context_is_never_beyond_the_model_s() -> None:
    assert plan("codellama-34b-instruct", gpu_type="h200").max_model_len == 16384
    refused = plan("codellama-34b-instruct", gpu_type="h200", max_model_len=20000)
    assert refused.reason == "Code Llama 34B Instruct reads at most 16,384 tokens; 20,000 were asked for."
    assert refused.alternatives[0].request.max_model_len == 16384


def test_the_users_settings_are_what_is_wanted_by_default() -> None:
    settings_ = load_settings(
        environ={"HOME": "/nonexistent", "CURC_LLM_MAX_MODEL_LEN": "4096", "CURC_LLM_TIME_H": "6"}
    )
    made = make_plan(PlanRequest(model="qwen3-8b", gpu_type="l40"), load_facts(settings_))
    assert (made.max_model_len, made.hours) == (4096, 6)
    assert Wishes().max_model_len == 32768


def test_a_hugging_face_id_of_a_quantisation_means_that_quantisation() -> None:
    weights = next(w for w in ALPINE.models["llama-3.1-70b-instruct"].weights if w.format == "fp8")
    made = plan(weights.hub_id.lower(), gpu_type="h200")
    assert (made.model, made.hub_id, made.quantisation) == ("llama-3.1-70b-instruct", weights.hub_id, "fp8")
    assert plan(weights.hub_id, gpu_type="h200", quantisation="bf16").quantisation == "bf16"


def test_an_embedding_model_is_run_as_one_and_reads_a_whole_text_in_a_step() -> None:
    made = plan("qwen3-embedding-8b")
    assert made.vllm_fields["runner"] == "pooling"
    assert made.max_model_len == 8192
    assert int(made.vllm_fields["max_num_batched_tokens"]) >= 8192
    assert made.decode_tokens_per_s is None
    text = " ".join(plan("bge-m3").warnings)
    assert "makes embeddings (/v1/embeddings)" in text
    assert "completes text" not in text


def test_online_fp8_is_a_flag_for_the_16_bit_weights() -> None:
    made = plan("qwen2.5-72b-instruct", gpu_type="rtx_pro_6000", num_gpus=1, quantisation="online-fp8")
    assert made.fits
    assert (made.format, made.quantisation) == ("bf16", "online-fp8")
    assert made.vllm_fields["quantization"] == "fp8"
    assert "all of them are read from disk" in " ".join(made.warnings)


def test_a_launch_over_nodes_says_how_it_is_spread() -> None:
    made = plan("qwen3-vl-235b-a22b-instruct", "capella", num_gpus=8)
    args = render_flags(made.vllm_fields)
    assert args[args.index("--tensor-parallel-size") + 1] == "4"
    assert args[args.index("--pipeline-parallel-size") + 1] == "2"


def test_a_seed_that_was_asked_for_is_passed_on() -> None:
    assert plan("qwen3-8b", seed=7).vllm_fields["seed"] == 7
    assert "seed" not in plan("qwen3-8b").vllm_fields


def test_every_formula_comes_with_its_numbers_when_it_is_asked_for() -> None:
    made = make_plan(PlanRequest(model="llama-3.1-8b-instruct", gpu_type="l40"), ALPINE, with_why=True)
    names = [step.name for step in made.why]
    assert {"Cores and host memory of a node", "SU per hour", "SU of the whole job"} <= set(names)
    assert len(names) > 6
    assert all(step.formula and step.numbers and step.result for step in made.why)
    assert plan("llama-3.1-8b-instruct", gpu_type="l40").why == ()


# -- Warnings ---------------------------------------------------------------------------------------------


def told(model: str, site: str = "alpine", **asked: Any) -> str:
    made = plan(model, site, **asked)
    assert made.fits, made.reason
    return " ".join(made.warnings)


def test_gated_models_say_what_to_do_and_where_the_centre_keeps_them() -> None:
    must_ask = "meta-llama/Llama-3.1-8B-Instruct is gated: accept its terms on Hugging Face and keep a token"
    bf16 = {"quantisation": "bf16"}
    assert must_ask in told("llama-3.1-8b-instruct", "capella", **bf16)
    assert must_ask not in told("llama-3.1-8b-instruct", gpu_type="l40")
    kept = "CURC Alpine keeps it in $CURC_LLM_DIR/hf-transformers, where it needs no token."
    assert kept in told("llama-3.1-8b-instruct", gpu_type="l40")
    assert "is gated: accept" in told("llama-3.1-70b-instruct", gpu_type="h200", num_gpus=2, **bf16)
    assert "gated" not in told("llama-3.1-70b-instruct", gpu_type="h200", quantisation="fp8")


def test_a_preset_s_context_that_a_model_does_not_give_is_said() -> None:
    assert "The preset long-context wants 131,072 tokens of context; BGE-M3 reads at most 8,192." in told(
        "bge-m3", preset="long-context"
    )
    text = told("qwen3-embedding-8b", preset="long-context")
    assert "reads at most 32,768 and gets 8,192 for embeddings, unless --max-model-len asks for more" in text
    asked = told("qwen3-embedding-8b", preset="long-context", max_model_len=16384)
    assert "The preset" not in asked
    assert "The preset" not in told("qwen3-30b-a3b-instruct-2507", preset="long-context")


def test_time_is_warned_of_when_loading_eats_it_or_the_limit_is_near() -> None:
    asked = {"gpu_type": "h200", "num_gpus": 4, "quantisation": "awq-int4", "hours": 0.11}
    assert "minutes of the 7 minutes" in told("llama-3.1-405b-instruct", **asked)
    tiny = plan("qwen3-8b", gpu_type="l40", hours=0.001)
    assert tiny.reason == "Qwen3 8B needs about 2 min to load; 0.001 h were asked for."
    assert "plus 20 %" in told("llama-3.1-405b-instruct", gpu_type="h200", num_gpus=4, hours=0.5)
    assert "is close to the 24 h of gpu-normal" in told("qwen3-8b", gpu_type="a100_80gb", hours=23)
    assert "is close to" not in told("qwen3-8b", gpu_type="a100_80gb", hours=12)


def test_what_an_a100_does_with_fp8_is_said() -> None:
    text = told("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=2, quantisation="fp8")
    assert "has no fp8 units" in text
    assert "has no fp8 units" not in told("llama-3.1-70b-instruct", gpu_type="h200", quantisation="fp8")


def test_requests_that_cannot_all_run_at_once_are_said() -> None:
    text = told("qwen3-32b", gpu_type="a100_80gb", num_gpus=1, max_num_seqs=64)
    assert "of the 64 requests fit at once" in text


def test_a_checkpoint_beyond_the_host_memory_is_said() -> None:
    small = _alpine_with(max_memory_per_gpu_gib=20.0)
    made = make_plan(PlanRequest(model="qwen3-32b", gpu_type="a100_80gb", num_gpus=1), small)
    assert "isn't read ahead into 20 GiB" in " ".join(made.warnings)
    assert made.memory_gib == 20


def test_a_driver_that_is_too_old_is_said() -> None:
    site = ALPINE.site
    runtime = site.runtime.model_copy(update={"cuda_driver": 12.4})
    old = make_facts(site.model_copy(update={"runtime": runtime}))
    made = make_plan(PlanRequest(model="qwen3-8b", gpu_type="l40"), old)
    assert "driver serves CUDA 12.4; vLLM's usual build wants 13" in " ".join(made.warnings)


def test_models_with_code_or_without_a_template_and_estimates_are_said() -> None:
    model = ALPINE.models["qwen3-8b"].model_copy(
        update={
            "trust_remote_code": True,
            "has_chat_template": False,
            "is_estimate": True,
            "assumed": ("Something was assumed.",),
            "licence_note": "Not for weekends.",
        }
    )
    made = make_plan(PlanRequest(model="own"), make_facts(ALPINE.site, {"own": model}))
    text = " ".join(made.warnings)
    for words in ("trust_remote_code", "no chat template", "estimate", "Something was assumed", "weekends"):
        assert words in text
    assert made.vllm_fields["trust_remote_code"] is True


def make_facts(site: Site, models: dict[str, Model] | None = None) -> Any:
    from curc_llm.catalogue.model import Catalogue
    from curc_llm.plan.facts import make_facts_of

    catalogue = Catalogue(models=models or dict(ALPINE.models))
    return make_facts_of(site, catalogue, ALPINE.presets)


def _alpine_with(**gpu: Any) -> Any:
    site = ALPINE.site
    partition = site.partitions["aa100"]
    types = {**partition.gpu_types}
    types["a100_80gb"] = types["a100_80gb"].model_copy(update=gpu)
    partitions = {**site.partitions, "aa100": partition.model_copy(update={"gpu_types": types})}
    return make_facts(site.model_copy(update={"partitions": partitions}))


# -- Bad input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        {"num_gpus": 0},
        {"num_gpus": -1},
        {"hours": -3},
        {"hours": float("nan")},
        {"hours": float("inf")},
        {"max_model_len": 0},
        {"max_num_seqs": 0},
        {"gpu_memory_utilization": 1.5},
        {"tensor_parallel_size": -2},
        {"num_gpu": 2},
        {"kv_cache_dtype": "foo"},
        {"kv_cache_dtype": "fp16"},
        {"seed": 10**22},
        {"account": "a b; rm -rf /"},
        {"account": "--wrap=x"},
        {"quantisation": "fp9"},
        {"preset": "large-ish"},
    ],
)
def test_nonsense_is_an_error_with_a_remedy(bad: dict[str, Any]) -> None:
    with pytest.raises(PlanError) as error:
        plan("qwen3-8b", **bad)
    assert error.value.message.endswith(".")
    assert error.value.remedy


@pytest.mark.parametrize(
    ("asked", "kind", "near"),
    [
        ({"model": "llama-3.1-8b-instrct"}, ModelNotFoundError, "llama-3.1-8b-instruct"),
        ({"model": "qwen3-8b", "gpu_type": "h100"}, SiteError, "h200"),
        ({"model": "qwen3-8b", "partition": "aa101"}, SiteError, "aa100"),
        ({"model": "qwen3-8b", "qos": "gpu-norm"}, SiteError, "gpu-normal"),
    ],
)
def test_unknown_names_are_errors_that_name_the_nearest(
    asked: dict[str, str], kind: type[CurcLlmError], near: str
) -> None:
    with pytest.raises(kind) as error:
        make_plan(make_request(asked), ALPINE)
    assert near in error.value.remedy


@pytest.mark.parametrize(
    ("asked", "reason", "nearest"),
    [
        ({"hours": 169}, "At CURC Alpine a GPU job may run 168 h at most; 169 h were asked for.", "168 h"),
        (
            {"hours": 200, "num_gpus": 3},
            "At CURC Alpine a job with 3 GPUs may run 168 h at most; 200 h were asked for.",
            "168 h instead of 200",
        ),
        (
            {"hours": 1e6},
            "At CURC Alpine a GPU job may run 168 h at most; 1,000,000 h were asked for.",
            "168 h instead of 1,000,000",
        ),
        (
            {"hours": 4, "qos": "gpu-testing"},
            "At CURC Alpine a GPU job may run 1 h at most under the QoS gpu-testing; 4 h were asked for.",
            "QoS gpu-normal instead of gpu-testing",
        ),
        (
            {"cpus_per_task": 1000},
            "At CURC Alpine a GPU job may have 128 cores on a node at most; 1,000 were asked for.",
            "128 cores instead of 1,000",
        ),
        (
            {"num_gpus": 999},
            "At CURC Alpine a job may have 4 GPUs of one type at most; 999 were asked for.",
            "4 GPUs instead of 999",
        ),
        (
            {"num_gpus": 2, "num_nodes": 2},
            (
                "At CURC Alpine a GPU job may have 1 node (the rule is `max_nodes_per_job` in its site "
                "file); 2 were asked for."
            ),
            "on 1 node instead of 2",
        ),
    ],
)
def test_no_gpu_is_blamed_for_a_limit_of_the_site_when_none_was_named(
    asked: dict[str, Any], reason: str, nearest: str
) -> None:
    made = plan("llama-3.1-8b-instruct", **asked)
    assert made.reason == reason
    assert nearest in made.alternatives[0].change


def test_an_amd_gpu_is_refused_with_the_nearest_nvidia_launch() -> None:
    made = plan("llama-3.1-8b-instruct", gpu_type="mi100", num_gpus=1)
    assert made.reason == "AMD Instinct MI100 32 GB (mi100) is an AMD GPU that vLLM doesn't support."
    assert made.alternatives
    nearest = make_plan(made.alternatives[0].request, ALPINE)
    assert nearest.fits
    assert offer_of(nearest.gpu_type).card.vendor == "nvidia"


def test_slices_of_a_gpu_cannot_be_joined() -> None:
    made = plan("llama-3.1-8b-instruct", gpu_type="h200_3g.71gb", num_gpus=2)
    assert "is a MIG slice" in made.reason
    assert made.alternatives[0].request.num_gpus == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"gpu_type": "l40", "hours": 200}, "168 h at most"),
        ({"gpu_type": "l40", "num_gpus": 1, "cpus_per_task": 22}, "21 cores on a node"),
        ({"gpu_type": "h200", "num_gpus": 4, "tensor_parallel_size": 3}, "need 3 GPUs or a multiple"),
        (
            {"gpu_type": "h200", "num_gpus": 3, "tensor_parallel_size": 3},
            "does not divide the 32 attention heads",
        ),
        (
            {"gpu_type": "l40", "gpu_memory_utilization": 0.999},
            "gpu_memory_utilization 0.999 leaves 0.04 GiB",
        ),
        ({"gpu_type": "l40", "qos": "gpu-testing"}, "doesn't take l40"),
        ({"num_gpus": 500}, "500"),
    ],
)
def test_impossible_wishes_are_refused_in_one_sentence_with_something_that_works(
    asked: dict[str, Any], words: str
) -> None:
    made = plan("llama-3.1-8b-instruct", **asked)
    assert not made.fits
    assert words in made.reason
    assert made.alternatives
    for alternative in made.alternatives:
        assert make_plan(alternative.request, ALPINE).fits


def test_a_model_that_no_gpu_of_the_site_holds_says_so() -> None:
    made = plan("kimi-k2.7-code")
    assert not made.fits
    assert made.alternatives == ()
    assert made.reason.endswith("no other launch at CURC Alpine fits either.")


# -- What must hold for every plan ------------------------------------------------------------------------


def check(made: Plan, site: str) -> None:
    """What every plan promises."""
    if not made.fits:
        assert made.reason.endswith(".")
        assert made.alternatives or "no other launch at" in made.reason
        for alternative in made.alternatives:
            assert alternative.request != made.request
        if made.alternatives:
            assert make_plan(made.alternatives[0].request, facts_of(site)).fits, made.alternatives[0]
        return
    assert made.reason == ""
    split = made.memory
    assert split is not None
    parts = split.model_dump()
    whole = parts.pop("memory_gib")
    assert sum(parts.values()) <= whole + 0.01
    sizes = (made.tensor_parallel_size, made.pipeline_parallel_size, made.data_parallel_size)
    assert (sizes[0] or 0) * (sizes[1] or 0) * (sizes[2] or 0) == made.num_gpus
    assert (made.max_concurrency or 0) >= 1
    offer = offer_of(made.gpu_type, site)
    on_node = (made.num_gpus or 0) // (made.num_nodes or 1)
    assert on_node <= offer.gpus_per_node
    assert (made.cpus or 0) <= offer.gpu.max_cores_per_gpu * on_node
    assert (made.memory_gib or 0) <= (offer.gpu.max_memory_per_gpu_gib or 10**9) * on_node
    assert facts_of(site).site.qos[made.qos].max_time_h >= (made.hours or 0)


@pytest.mark.slow
@pytest.mark.parametrize("site", SITES)
def test_every_model_on_every_gpu_and_count_fits_or_is_refused_with_what_does(site: str) -> None:
    facts = facts_of(site)
    for name in facts.models:
        check(plan(name, site), site)
        for offer in facts.offers:
            for num_gpus in (1, 2, 3, 4, 8, 16):
                check(plan(name, site, gpu_type=offer.gpu_name, num_gpus=num_gpus), site)


REQUESTS = st.fixed_dictionaries(
    {"model": st.sampled_from(sorted(ALPINE.models))},
    optional={
        "gpu_type": st.sampled_from([offer.gpu_name for offer in ALPINE.offers]),
        "num_gpus": st.integers(1, 12),
        "hours": st.floats(0.1, 300),
        "max_model_len": st.integers(16, 2_000_000),
        "max_num_seqs": st.integers(1, 512),
        "quantisation": st.sampled_from(["bf16", "fp8", "int4", "online-fp8", "mxfp4"]),
        "preset": st.sampled_from(sorted(ALPINE.presets.presets)),
        "tensor_parallel_size": st.integers(1, 8),
        "gpu_memory_utilization": st.floats(0.3, 1.0),
        "kv_cache_dtype": st.sampled_from(["auto", "fp8"]),
        "cpus_per_task": st.integers(1, 80),
        "qos": st.sampled_from(["gpu-normal", "gpu-long", "gpu-testing"]),
    },
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(asked=REQUESTS)
def test_whatever_is_asked_the_nearest_alternative_fits_and_sums_stay_below_the_gpu(
    asked: dict[str, Any],
) -> None:
    check(plan(**asked), "alpine")


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    model=st.sampled_from(sorted(ALPINE.models)),
    num_gpus=st.integers(1, 4),
    more=st.floats(1.0, 3.0),
    max_model_len=st.none() | st.integers(1024, 65536),
)
def test_more_memory_never_makes_a_fitting_launch_unfit(
    model: str, num_gpus: int, more: float, max_model_len: int | None
) -> None:
    asked = PlanRequest(model=model, gpu_type="h200", num_gpus=num_gpus, max_model_len=max_model_len)
    if not make_plan(asked, ALPINE).fits:
        return
    site = ALPINE.site
    card: Card = site.cards["h200-nvl"]
    larger = card.model_copy(update={"memory_gib": card.memory_gib * more})
    facts = make_facts(site.model_copy(update={"cards": {**site.cards, "h200-nvl": larger}}))
    assert make_plan(asked, facts).fits


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("max_num_seqs", "1,000,000"),
        ("max_model_len", "1,000,000,000"),
        *((name, "100,000") for name in ("num_gpus", "num_nodes", "tensor_parallel_size", "cpus_per_task")),
        *((name, "100,000") for name in ("pipeline_parallel_size", "data_parallel_size")),
    ],
)
def test_a_number_that_nobody_can_count_with_is_told_with_the_largest_allowed(name: str, most: str) -> None:
    with pytest.raises(PlanError, match=f"`{name}` can't be 9{{26}}: it must be at most {most}"):
        make_request({"model": "qwen3-8b", name: int("9" * 26)})


# -- Several nodes ----------------------------------------------------------------------------------------


def test_405b_is_tensor_parallel_within_nodes_and_a_pipeline_over_them() -> None:
    made = plan("llama-3.1-405b-instruct", "capella")
    assert (made.num_nodes, made.tensor_parallel_size, made.pipeline_parallel_size) == (2, 4, 2)


def test_copies_are_dealt_to_the_nodes_whole() -> None:
    made = plan("llama-3.1-8b-instruct", "capella", num_gpus=8, preset="high-throughput")
    assert (made.num_nodes, made.data_parallel_size, made.tensor_parallel_size) == (2, 8, 1)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [((4, 2, 2), "would each span 2, which only Ray starts"), ((4, 1, 3), "")],
)
def test_copies_over_several_nodes_each_are_refused_unless_ray_was_asked_for(
    sizes: tuple[int, int, int], told: str
) -> None:
    names = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
    asked = dict(zip(names, sizes, strict=True))
    made = plan("llama-3.1-70b-instruct", "capella", **asked)
    assert told in made.reason
    assert made.fits == (not told)
    assert plan("llama-3.1-70b-instruct", "capella", **asked, distributed_executor_backend="ray").fits


def test_tensor_parallelism_over_nodes_is_had_by_its_name_alone_and_warned_of() -> None:
    made = plan("llama-3.1-70b-instruct", "capella", tensor_parallel_size=8)
    assert (made.fits, made.num_nodes) == (True, 2)
    assert any("crosses the network in each layer" in warning for warning in made.warnings)
    usual = plan("llama-3.1-70b-instruct", "capella", num_gpus=8)
    assert usual.tensor_parallel_size == 4
    assert not any("crosses the network" in warning for warning in usual.warnings)


def test_where_only_the_sites_rule_stands_in_the_way_it_is_named() -> None:
    made = plan("llama-3.1-70b-instruct", gpu_type="a100-40gb", quantisation="bf16")
    assert not made.fits
    rule = "CURC Alpine lets a GPU job have 1 node of aa100 (`max_nodes_per_job` in its site file)."
    assert made.reason.endswith(f"6 x a100-40gb on 2 nodes would do, but {rule}")
    assert made.alternatives


def test_nodes_are_not_held_out_where_they_would_not_help() -> None:
    made = plan("llama-3.1-405b-instruct", gpu_type="l40", num_gpus=1)
    assert "max_nodes_per_job" not in made.reason
