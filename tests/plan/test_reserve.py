"""What vLLM needs besides weights and KV cache."""

from __future__ import annotations

import pytest

from curc_llm.plan.layout import Layout
from curc_llm.plan.reserve import activations_gib, make_reserve
from tests.plan.by_hand import A100, CPU, DEEPSEEK_V3, GEMMA_27B, GPT_OSS_20B, LLAMA_8B, LLAMA_70B, QWEN3_32B

# llm-d planner's table (tests/plan/data/calibration.yml, vLLM 0.11, 1024 requests, 8192 tokens): GiB.
OLD_SAMPLER_BYTES = 38.9
ONE = Layout()


@pytest.mark.parametrize(
    ("arch", "logged_gib"), [(LLAMA_8B, 4.76), (QWEN3_32B, 5.64)], ids=["llama-3.1-8b", "qwen3-32b"]
)
def test_the_sampler_of_old_logs_is_met_within_three_percent(arch: object, logged_gib: float) -> None:
    found = activations_gib(arch, ONE, 1024, 8192, OLD_SAMPLER_BYTES)  # type: ignore[arg-type]
    assert logged_gib <= found <= logged_gib * 1.03


def test_the_reserve_of_a_recent_log_is_just_above_it() -> None:
    # gpt-oss-20b on an A100, vLLM 0.19: 0.65 x 79.25 - 13.72 - 36.56 GiB (graphs weren't counted yet)
    reserve = make_reserve(GPT_OSS_20B, A100, ONE, 256, 2048)
    logged_gib = 0.65 * 79.25 - 13.72 - 36.56
    assert logged_gib <= reserve.activations_gib + reserve.runtime_gib <= logged_gib + 0.3


def test_more_requests_and_longer_steps_take_more() -> None:
    few, many = (make_reserve(LLAMA_8B, A100, ONE, seqs, 2048) for seqs in (64, 1024))
    assert many.activations_gib > few.activations_gib
    assert many.cuda_graphs_gib > few.cuda_graphs_gib
    short, long = (make_reserve(LLAMA_8B, A100, ONE, 8, batched) for batched in (2048, 16384))
    assert long.activations_gib > short.activations_gib + 1


def test_tensor_parallelism_divides_the_layers_but_shares_cost_buffers() -> None:
    one, four = (make_reserve(LLAMA_70B, A100, Layout(tp), 8, 8192) for tp in (1, 4))
    assert four.activations_gib < one.activations_gib
    assert four.runtime_gib > one.runtime_gib
    assert four.context_gib > one.context_gib


def test_eager_has_no_graphs() -> None:
    assert make_reserve(LLAMA_8B, A100, ONE, 64, 2048, enforce_eager=True).cuda_graphs_gib == 0


def test_stages_have_the_graphs_of_their_layers() -> None:
    one, two = (make_reserve(LLAMA_70B, A100, Layout(1, pp), 256, 2048).cuda_graphs_gib for pp in (1, 2))
    assert two < one


def test_images_need_room_for_the_largest() -> None:
    blind = GEMMA_27B.model_copy(update={"vision_params": 0})
    seeing, not_seeing = (activations_gib(arch, ONE, 8, 2048) for arch in (GEMMA_27B, blind))
    assert 1.0 < seeing - not_seeing < 3.0


def test_latent_attention_writes_earlier_tokens_out() -> None:
    grouped = DEEPSEEK_V3.model_copy(update={"attention": ()})
    latent, other = (activations_gib(arch, Layout(8), 8, 2048) for arch in (DEEPSEEK_V3, grouped))
    # 65536 tokens x 16 heads x 256 values x 2 bytes
    assert latent - other == pytest.approx(0.5)


def test_a_processor_has_neither_graphs_nor_a_context() -> None:
    reserve = make_reserve(LLAMA_8B, CPU, ONE, 8, 2048)
    assert (reserve.cuda_graphs_gib, reserve.context_gib) == (0, 0)
    assert reserve.counted_gib == reserve.activations_gib + reserve.runtime_gib
