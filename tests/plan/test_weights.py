"""Bytes of weights on disk and on each GPU."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.catalogue.architecture import Architecture
from curc_llm.catalogue.load import load_shipped
from curc_llm.catalogue.model import Weights
from curc_llm.plan.layout import Layout, stage_layers
from curc_llm.plan.quantisation import ONLINE_FP8
from curc_llm.plan.weights import (
    checkpoint_bytes,
    expert_share,
    gpu_bytes,
    held_parts,
    mxfp4_padding,
)
from tests.plan.by_hand import ALL, DEEPSEEK_V3, GEMMA_27B, GPT_OSS_20B, LLAMA_8B, LLAMA_70B

GIB = 2**30


def weights(format_: str = "bf16", weight_bytes: int | None = None) -> Weights:
    return Weights.model_validate({"hub_id": "a/b", "format": format_, "weight_bytes": weight_bytes})


def on_gpus(arch: Architecture, what: Weights, layout: Layout, quantisation: str = "") -> list[float]:
    """GiB on each GPU of each stage."""
    parts = held_parts(arch, what, quantisation or what.format, layout)
    sizes = stage_layers(arch.num_layers, layout.pipeline_parallel_size)
    last = len(sizes) - 1
    return [gpu_bytes(parts, arch, layout, n, i == 0, i == last) / GIB for i, n in enumerate(sizes)]


def test_sixteen_bits_are_two_bytes_a_parameter() -> None:
    assert checkpoint_bytes(LLAMA_8B, weights()) == pytest.approx(2 * 8_030_261_248)


def test_exact_bytes_are_taken_where_they_are_known() -> None:
    assert checkpoint_bytes(LLAMA_8B, weights(weight_bytes=123)) == 123
    known = weights("awq-int4", 5_730_000_000)
    assert held_parts(LLAMA_8B, known, "awq-int4").total == pytest.approx(5_730_000_000)


def test_estimates_are_near_the_bytes_of_published_files() -> None:
    """Every set of weights of the catalogue with exact bytes, as if they weren't known."""
    errors: dict[str, list[float]] = {}
    for model in load_shipped().models.values():
        for known in (one for one in model.weights if one.weight_bytes):
            unknown = known.model_copy(update={"weight_bytes": None})
            share = checkpoint_bytes(model.architecture, unknown) / (known.weight_bytes or 1) - 1
            errors.setdefault(known.format, []).append(share)
    assert sum(map(len, errors.values())) >= 15
    # bf16 follows from the parameters; mixtures of formats (nvfp4 above all) don't.
    assert max(map(abs, errors["bf16"])) < 0.01
    for found in errors.values():
        assert abs(statistics.median(found)) < 0.10
        assert max(found) < 0.09


def test_fp32_is_held_in_sixteen_bits() -> None:
    assert held_parts(LLAMA_8B, weights("fp32"), "fp32").total == pytest.approx(2 * 8_030_261_248)


def test_online_fp8_halves_the_layers_and_leaves_the_embeddings() -> None:
    before, after = (held_parts(LLAMA_8B, weights(), name) for name in ("bf16", ONLINE_FP8))
    assert after.input_embedding == before.input_embedding
    assert after.body == pytest.approx(before.body / 2, rel=0.001)


def test_tensor_parallelism_divides_everything_of_a_dense_model() -> None:
    assert on_gpus(LLAMA_70B, weights(), Layout(4))[0] == pytest.approx(70_553_706_496 * 2 / 4 / GIB)


def test_pipeline_stages_hold_their_layers_and_the_ends_the_embeddings() -> None:
    first, middle, last = on_gpus(LLAMA_70B, weights(), Layout(1, 3))
    table_gib = 128256 * 8192 * 2 / GIB
    per_layer = (70_553_706_496 - 2 * 128256 * 8192) * 2 / 80 / GIB
    # get_pp_indices(80 layers, 3 stages): 27, 27, 26
    assert first == pytest.approx(27 * per_layer + table_gib)
    assert middle == pytest.approx(27 * per_layer)
    assert last == pytest.approx(26 * per_layer + table_gib)


def test_tied_embeddings_are_on_both_ends_of_a_pipeline_but_once_on_one_gpu() -> None:
    parts = held_parts(GEMMA_27B, weights(), "bf16")
    assert parts.is_tied
    assert parts.total == pytest.approx(2 * GEMMA_27B.total_params)
    two = on_gpus(GEMMA_27B, weights(), Layout(1, 2))
    assert sum(two) == pytest.approx((2 * GEMMA_27B.total_params + parts.input_embedding) / GIB)


def test_the_vision_part_is_on_the_first_stage() -> None:
    without = GEMMA_27B.model_copy(
        update={"vision_params": 0, "total_params": GEMMA_27B.total_params - GEMMA_27B.vision_params}
    )
    more = on_gpus(GEMMA_27B, weights(), Layout(1, 2))[0] - on_gpus(without, weights(), Layout(1, 2))[0]
    assert more == pytest.approx(2 * GEMMA_27B.vision_params / GIB)


def test_experts_are_shared_by_copies_and_attention_is_not() -> None:
    one = on_gpus(DEEPSEEK_V3, weights("fp8"), Layout(8))[0]
    two = on_gpus(DEEPSEEK_V3, weights("fp8"), Layout(8, 1, 2, enable_expert_parallel=True))[0]
    experts_gib = DEEPSEEK_V3.expert_params * 8.002 / 8 / GIB
    assert one - two == pytest.approx(experts_gib / 16)


def test_whole_experts_are_rounded_up() -> None:
    assert expert_share(GPT_OSS_20B, Layout(3, enable_expert_parallel=True)) == pytest.approx(11 / 32)
    assert expert_share(GPT_OSS_20B, Layout(4)) == 0.25


def test_mxfp4_is_held_padded() -> None:
    # "Model loading took 13.72 GiB": gpt-oss-20b on an A100 (calibration.yml)
    assert mxfp4_padding(GPT_OSS_20B, Layout()) == pytest.approx(3072 * 2944 / 2880**2)
    file_bytes = weights("mxfp4", 13_761_264_768)
    assert on_gpus(GPT_OSS_20B, file_bytes, Layout())[0] == pytest.approx(13.72, rel=0.01)


@given(
    arch=st.sampled_from(ALL),
    tp=st.sampled_from((1, 2, 4, 8)),
    pp=st.integers(1, 5),
    format_=st.sampled_from(("bf16", "fp8", "awq-int4", "nvfp4")),
)
def test_all_gpus_together_hold_at_least_one_copy(arch: Architecture, tp: int, pp: int, format_: str) -> None:
    layout = Layout(tp, pp)
    together = sum(on_gpus(arch, weights(format_), layout)) * tp
    one = held_parts(arch, weights(format_), format_).total / GIB
    assert together >= one * 0.9999
    assert max(on_gpus(arch, weights(format_), layout)) <= one * 1.0001
