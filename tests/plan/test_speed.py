"""Estimates of loading and writing."""

from __future__ import annotations

import pytest

from curc_llm.plan.layout import Layout
from curc_llm.plan.speed import Crossing, decode_tokens_per_s, load_time_s
from curc_llm.sites.card import Card
from tests.plan.by_hand import (
    A100,
    A100_40,
    DEEPSEEK_V3,
    GEMMA_27B,
    GPT_OSS_20B,
    H100,
    L40,
    LLAMA_8B,
    LLAMA_70B,
    QWEN3_NEXT,
    model_of,
)


def tokens_per_s(
    arch: object, card: Card, layout: Layout, quantisation: str = "bf16", context: int = 2048
) -> float:
    published = "bf16" if quantisation == "online-fp8" else quantisation
    model = model_of(arch, published)  # type: ignore[arg-type]
    return decode_tokens_per_s(model, model.weights[0], quantisation, card, layout, context)


def test_an_8b_model_on_an_a100_is_as_fast_as_measured() -> None:
    # 75 tokens/s: https://johnmusgrave.com, A100 40 GB, BF16, vLLM 0.23
    assert tokens_per_s(LLAMA_8B, A100_40, Layout()) == pytest.approx(75, rel=0.03)


def test_speed_follows_bandwidth() -> None:
    slow, medium, fast = (tokens_per_s(LLAMA_8B, card, Layout()) for card in (L40, A100, H100))
    assert slow < medium < fast
    assert fast / slow == pytest.approx(3350 / 864, rel=0.2)


def test_quantised_weights_are_read_faster() -> None:
    assert tokens_per_s(LLAMA_70B, H100, Layout(), "fp8") > 1.7 * tokens_per_s(LLAMA_70B, H100, Layout())
    assert tokens_per_s(LLAMA_70B, H100, Layout(), "online-fp8") == pytest.approx(
        tokens_per_s(LLAMA_70B, H100, Layout(), "fp8"), rel=0.01
    )


def test_tensor_parallelism_helps_and_pipeline_stages_do_not() -> None:
    one = tokens_per_s(LLAMA_70B, H100, Layout())
    assert 2.5 * one < tokens_per_s(LLAMA_70B, H100, Layout(4)) < 4 * one
    assert tokens_per_s(LLAMA_70B, H100, Layout(1, 4)) < one


def test_a_slow_link_costs_more_than_a_fast_one() -> None:
    slow = A100.model_copy(update={"link_gb_per_s": 32})
    assert tokens_per_s(LLAMA_70B, slow, Layout(4)) < tokens_per_s(LLAMA_70B, A100, Layout(4))


def test_experts_that_are_not_chosen_are_not_read() -> None:
    assert tokens_per_s(GPT_OSS_20B, A100, Layout(), "mxfp4") > 2 * tokens_per_s(LLAMA_8B, A100, Layout())
    assert tokens_per_s(DEEPSEEK_V3, H100, Layout(8), "fp8") > 40


def test_a_long_context_slows_full_attention_more_than_windows_and_states() -> None:
    def loss(arch: object) -> float:
        return 1 - tokens_per_s(arch, H100, Layout(), context=100_000) / tokens_per_s(arch, H100, Layout())

    assert loss(LLAMA_8B) > 0.3
    assert loss(GEMMA_27B) < 0.2
    assert loss(QWEN3_NEXT) < loss(LLAMA_8B)


def test_loading_is_reading_and_starting() -> None:
    assert load_time_s(141_000_000_000, 1.0) == pytest.approx(261)
    assert load_time_s(141_000_000_000, 2.0) < load_time_s(141_000_000_000, 1.0)
    assert load_time_s(0, 1.0, 2) - load_time_s(0, 1.0) == pytest.approx(20)


def test_a_small_model_on_many_nodes_starts_in_minutes_since_nodes_join_side_by_side() -> None:
    assert load_time_s(4_000_000, 1.0, 99) < 300


def test_tensor_parallelism_over_nodes_counts_the_network() -> None:
    def over(gb_per_s: float | None, tp: int) -> float:
        model = model_of(LLAMA_70B, "bf16")
        given = (model, model.weights[0], "bf16", H100, Layout(tp))
        return decode_tokens_per_s(*given, crossing=Crossing(4, gb_per_s))

    one_node = tokens_per_s(LLAMA_70B, H100, Layout(4))
    assert over(None, 4) == over(25.0, 4) == one_node  # within a node nothing changes
    assert over(None, 8) <= one_node  # unknown: never ranked above what fits into one node
    assert over(1.0, 8) < over(25.0, 8) < tokens_per_s(LLAMA_70B, H100, Layout(8))
    # by hand: 2 x 80 layers x (2 x 1 step of 5 µs + 2 x 8192 x 2 bytes / 25 GB/s)
    slower_s = 1 / over(25.0, 8) - 1 / tokens_per_s(LLAMA_70B, H100, Layout(8))
    assert slower_s == pytest.approx(160 * (10e-6 + 32768 / 25e9), rel=1e-6)
