"""Whether a launch fits, and the numbers that people see of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.catalogue.architecture import Architecture
from curc_llm.plan.layout import Layout
from curc_llm.plan.memory import EngineWish, Fit, fit
from curc_llm.sites.card import Card
from tests.plan.by_hand import (
    A100,
    A100_40,
    ALL,
    CPU,
    DEEPSEEK_V3,
    GPT_OSS_20B,
    H100,
    LLAMA_8B,
    LLAMA_70B,
    QWEN3_NEXT,
    WISH,
    model_of,
)

GIB = 2**30


def fit_of(
    arch: Architecture,
    card: Card = A100,
    layout: Layout = Layout(),  # noqa: B008 - unchangeable
    wish: EngineWish = WISH,
    format_: str = "bf16",
    quantisation: str = "",
) -> Fit:
    model = model_of(arch, format_)
    return fit(model, model.weights[0], quantisation or format_, card, layout, wish, with_steps=True)


def context(tokens: int) -> EngineWish:
    return dataclasses.replace(WISH, max_model_len=tokens)


def parts_of(found: Fit) -> float:
    split = found.split
    return (
        split.outside_gib
        + split.weights_gib
        + split.activations_gib
        + split.cuda_graphs_gib
        + split.runtime_gib
        + split.kv_cache_gib
    )


def test_an_8b_model_on_an_80_gb_gpu_fits_with_many_requests() -> None:
    found = fit_of(LLAMA_8B)
    assert found.fits
    assert found.split.weights_gib == pytest.approx(14.96, abs=0.01)
    assert parts_of(found) == pytest.approx(79.25)
    assert found.kv_bytes_per_token == 128 * 1024
    # what vLLM prints: blocks / blocks of a request, and that times the context
    assert found.max_concurrency == pytest.approx(found.split.kv_cache_gib * GIB / (8192 * 131072), rel=1e-3)
    assert found.kv_cache_tokens == int(found.max_concurrency * 8192)
    assert found.longest_context_tokens == 131072


@pytest.mark.parametrize(
    ("arch", "card", "layout", "format_", "fits"),
    [
        (LLAMA_70B, A100, Layout(), "bf16", False),
        (LLAMA_70B, A100, Layout(2), "bf16", True),
        (LLAMA_70B, A100, Layout(4), "bf16", True),
        (LLAMA_70B, A100, Layout(1, 3), "bf16", True),
        (LLAMA_70B, A100, Layout(), "awq-int4", True),
        (LLAMA_8B, A100_40, Layout(), "bf16", True),
        (GPT_OSS_20B, A100_40, Layout(), "mxfp4", True),
        (DEEPSEEK_V3, H100, Layout(8), "fp8", False),
        (DEEPSEEK_V3, H100, Layout(8, 2), "fp8", True),
    ],
)
def test_known_launches_fit_or_not(
    arch: Architecture, card: Card, layout: Layout, format_: str, fits: bool
) -> None:
    found = fit_of(arch, card, layout, format_=format_)
    assert found.fits is fits, found


def test_what_is_missing_is_what_would_make_it_fit() -> None:
    long = context(65536)
    found = fit_of(LLAMA_70B, A100, Layout(2), long)
    assert not found.fits
    # of what is added, vLLM may use nine tenths
    enough = A100.model_copy(update={"memory_gib": 79.25 + found.missing_gib / 0.9 + 0.01})
    nearly = A100.model_copy(update={"memory_gib": 79.25 + found.missing_gib / 0.9 - 0.01})
    assert fit_of(LLAMA_70B, enough, Layout(2), long).fits
    assert not fit_of(LLAMA_70B, nearly, Layout(2), long).fits


def test_nothing_is_promised_when_the_weights_do_not_fit() -> None:
    found = fit_of(LLAMA_70B)
    assert (found.longest_context_tokens, found.kv_cache_tokens, found.max_concurrency) == (0, 0, 0)
    assert found.split.kv_cache_gib == 0
    assert found.missing_gib > 50


@given(
    arch=st.sampled_from(ALL),
    memory_gib=st.floats(10, 190),
    layout=st.sampled_from((Layout(), Layout(2), Layout(4), Layout(1, 2), Layout(4, 3))),
)
def test_the_longest_context_fits_and_one_token_more_does_not(
    arch: Architecture, memory_gib: float, layout: Layout
) -> None:
    card = A100.model_copy(update={"memory_gib": memory_gib})
    longest = fit_of(arch, card, layout).longest_context_tokens
    if longest:
        wish = dataclasses.replace(context(longest), max_num_seqs=1)
        assert fit_of(arch, card, layout, wish).longest_context_tokens >= longest
        assert fit_of(arch, card, layout, wish).missing_gib == 0
    if 0 < longest < 131072:
        assert not fit_of(arch, card, layout, context(longest + 1)).fits


@given(
    arch=st.sampled_from(ALL),
    memory_gib=st.floats(5, 190),
    more_gib=st.floats(0.1, 100),
    tokens=st.sampled_from((512, 8192, 131072)),
    utilization=st.floats(0.5, 0.95),
)
def test_more_memory_never_makes_a_fitting_launch_unfit(
    arch: Architecture, memory_gib: float, more_gib: float, tokens: int, utilization: float
) -> None:
    wish = dataclasses.replace(context(tokens), gpu_memory_utilization=utilization)
    small = fit_of(arch, A100.model_copy(update={"memory_gib": memory_gib}), wish=wish)
    large = fit_of(arch, A100.model_copy(update={"memory_gib": memory_gib + more_gib}), wish=wish)
    assert large.fits or not small.fits
    assert large.max_concurrency >= small.max_concurrency
    assert large.longest_context_tokens >= small.longest_context_tokens


@given(arch=st.sampled_from(ALL), memory_gib=st.floats(5, 190), tokens=st.integers(16, 131072))
def test_the_parts_of_a_fitting_launch_are_the_gpu(
    arch: Architecture, memory_gib: float, tokens: int
) -> None:
    found = fit_of(arch, A100.model_copy(update={"memory_gib": memory_gib}), wish=context(tokens))
    if found.fits:
        assert parts_of(found) == pytest.approx(memory_gib)
        assert min(found.split.model_dump().values()) >= 0
    assert found.fits is (found.missing_gib == 0 and found.outside_missing_gib == 0)


@given(arch=st.sampled_from(ALL), tokens=st.integers(16, 60000), more=st.integers(1, 60000))
def test_longer_requests_are_never_more_at_once(arch: Architecture, tokens: int, more: int) -> None:
    short, long = (fit_of(arch, H100, Layout(8), context(count)) for count in (tokens, tokens + more))
    assert long.max_concurrency <= short.max_concurrency


def test_the_fullest_stage_decides() -> None:
    found = fit_of(LLAMA_70B, A100, Layout(1, 3))
    first = (27 * 1_706_000_000 + 2_101_346_304) / GIB  # 27 layers and the input table
    assert found.split.weights_gib == pytest.approx(first, rel=0.01)
    assert found.weights_gib == pytest.approx(70_553_706_496 * 2 / GIB)


def test_replicated_heads_do_not_count_as_bytes_per_token() -> None:
    one, sixteen = (fit_of(LLAMA_70B, A100, Layout(tp)) for tp in (4, 16))
    assert one.kv_bytes_per_token == sixteen.kv_bytes_per_token == 320 * 1024


def test_an_fp8_cache_holds_twice_as_much() -> None:
    halved = dataclasses.replace(WISH, kv_cache_dtype="fp8")
    ratio = fit_of(LLAMA_8B, wish=halved).max_concurrency / fit_of(LLAMA_8B).max_concurrency
    assert ratio == pytest.approx(2, rel=1e-3)


def test_online_fp8_makes_room() -> None:
    assert fit_of(LLAMA_70B, H100, Layout(), context(2048), quantisation="online-fp8").fits
    assert not fit_of(LLAMA_70B, H100, Layout(), context(2048)).fits


def test_a_utilization_that_leaves_no_room_for_cuda_is_told() -> None:
    found = fit_of(LLAMA_8B, wish=dataclasses.replace(WISH, gpu_memory_utilization=1.0))
    assert not found.fits
    assert found.outside_missing_gib == pytest.approx(0.5)
    assert found.missing_gib == 0


def test_states_need_a_block_for_each_request() -> None:
    few = fit_of(QWEN3_NEXT, A100, Layout(4), dataclasses.replace(WISH, max_num_seqs=64))
    assert few.fits
    assert few.most_num_seqs is not None
    many = dataclasses.replace(WISH, max_num_seqs=few.most_num_seqs + 500)
    assert not fit_of(QWEN3_NEXT, A100, Layout(4), many).fits
    assert fit_of(QWEN3_NEXT, A100, Layout(4), dataclasses.replace(many, enforce_eager=True)).fits
    assert fit_of(LLAMA_8B).most_num_seqs is None


def test_an_encoder_without_a_cache_fits_by_its_weights() -> None:
    encoder = LLAMA_8B.model_copy(update={"attention": ()})
    found = fit_of(encoder)
    assert found.fits
    assert (found.kv_bytes_per_token, found.kv_cache_tokens) == (0, 0)
    assert found.longest_context_tokens == 131072
    assert fit_of(encoder, A100.model_copy(update={"memory_gib": 12})).longest_context_tokens == 0


def test_a_processor_is_planned_too() -> None:
    assert fit_of(LLAMA_8B, CPU, wish=dataclasses.replace(WISH, max_num_seqs=4)).fits


def test_why_tells_every_formula_with_its_numbers_and_source() -> None:
    steps = fit_of(GPT_OSS_20B, format_="mxfp4").steps
    assert [step.name for step in steps] == [
        "Checkpoint",
        "Weights on the fullest GPU",
        "Memory that vLLM may use",
        "Reserve",
        "Room for the KV cache",
        "Blocks of one request in 12 full layers",
        "Blocks of one request in 12 sliding layers",
        "One block on the fullest GPU",
        "Requests of 8,192 tokens at once",
        "Longest context",
    ]
    assert all(step.formula and step.numbers and step.result and step.source for step in steps)
    assert steps[2].numbers == "79.25 GiB x 0.9"
    assert steps[2].result == "71.33 GiB"
    states = fit_of(QWEN3_NEXT, A100, Layout(4)).steps
    assert any(step.result == "6 blocks" for step in states)


def test_the_worked_example_of_the_docs_is_what_comes_out() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-the-arithmetic-works.md").read_text(encoding="utf-8")
    steps = fit_of(LLAMA_70B, A100, Layout(4), context(32768)).steps
    assert len(steps) == 9
    for step in steps:
        assert f"| {step.name} | {step.formula} | {step.numbers} | {step.result} |" in page


def test_without_steps_none_are_made() -> None:
    model = model_of(LLAMA_8B)
    assert fit(model, model.weights[0], "bf16", A100, Layout(), WISH).steps == ()
