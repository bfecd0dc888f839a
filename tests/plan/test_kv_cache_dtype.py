"""Which KV cache type vLLM takes for which weights, attention and GPU."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.catalogue.quantisation_config import read_kv_scales
from curc_llm.plan.kv_cache_dtype import Verdict, judge_kv_cache_dtype
from curc_llm.sites.card import Card
from tests.plan.by_hand import A100, H100, L40, T4
from tests.plan.shipped import facts_of, plan


def judge(dtype: str, name: str, format_: str, card: Card) -> Verdict:
    model = facts_of("alpine").find_model(name).model
    weights = next((w for w in model.weights if w.format == format_), model.weights[0])
    return judge_kv_cache_dtype(dtype, model.architecture, weights, format_, card)


@pytest.mark.parametrize(
    ("dtype", "name", "format_", "card", "told"),
    [
        ("fp8_e5m2", "qwen3-8b", "fp8", H100, "doesn't go with Qwen/Qwen3-8B-FP8"),
        ("fp8_e5m2", "deepseek-v3.1", "fp8", H100, "latent attention (MLA): no backend"),
        ("fp8", "deepseek-v3.1", "fp8", A100, "(MLA) needs compute capability 8.9"),
        ("fp8", "qwen3-8b", "bf16", T4, "needs compute capability 8.0"),
        ("bfloat16", "qwen3-8b", "bf16", T4, "needs compute capability 8.0"),
        ("fp8", "gpt-oss-20b", "mxfp4", A100, "with attention sinks needs compute capability 8.9"),
    ],
)
def test_what_vllm_refuses_is_refused(dtype: str, name: str, format_: str, card: Card, told: str) -> None:
    assert told in judge(dtype, name, format_, card).refusal


@pytest.mark.parametrize(
    ("dtype", "name", "format_", "card"),
    [
        ("auto", "deepseek-v3.1", "fp8", A100),
        ("fp8_e5m2", "qwen3-8b", "bf16", A100),  # FlashInfer's
        ("fp8", "qwen3-8b", "fp8", A100),
        ("fp8_e5m2", "qwen3-8b", "online-fp8", H100),
        ("fp8_e5m2", "qwen3-8b", "awq-int4", L40),
        ("fp8", "deepseek-v3.1", "fp8", L40),
        ("fp8", "gpt-oss-20b", "mxfp4", H100),
        ("fp8_e5m2", "glm-4.7", "fp8", H100),  # compressed-tensors, as far as is known
    ],
)
def test_what_vllm_may_run_is_not(dtype: str, name: str, format_: str, card: Card) -> None:
    assert judge(dtype, name, format_, card).refusal == ""


def test_where_it_is_not_certain_there_is_a_caution() -> None:
    assert "with FlashInfer only" in judge("fp8", "qwen3-8b", "bf16", A100).caution
    assert "maybe for these" in judge("fp8_e5m2", "glm-4.7", "fp8", H100).caution
    assert judge("fp8", "qwen3-8b", "fp8", H100) == ("", "")
    made = plan("qwen3-8b", gpu_type="a100_80gb", num_gpus=1, kv_cache_dtype="fp8")
    assert made.fits
    assert any("with FlashInfer only" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("config", "brings"),
    [
        ({}, False),
        ({"quantization_config": {"quant_method": "fp8"}}, True),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}, True),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, False),
        ({"quantization_config": {"quant_method": "compressed-tensors", "kv_cache_scheme": {"a": 1}}}, True),
        ({"quantization_config": {"quant_method": "quark"}}, None),
    ],
)
def test_a_config_tells_whether_scales_come_with_the_weights(
    config: dict[str, Any], brings: bool | None
) -> None:
    assert read_kv_scales(config) is brings


def test_a_refused_plan_offers_the_nearest_type_that_works() -> None:
    asked = {"gpu_type": "h200", "num_gpus": 1, "quantisation": "fp8", "kv_cache_dtype": "fp8_e5m2"}
    made = plan("qwen3-8b", **asked)
    assert not made.fits
    changes = [alternative.change for alternative in made.alternatives]
    assert changes[:2] == [
        "kv_cache_dtype fp8 instead of fp8_e5m2",
        "kv_cache_dtype auto instead of fp8_e5m2",
    ]
    latent = plan("glm-4.7-flash", gpu_type="a100_80gb", num_gpus=2, kv_cache_dtype="fp8")
    assert "(MLA) needs compute capability 8.9" in latent.reason
    assert latent.alternatives[0].change == "kv_cache_dtype auto instead of fp8"
