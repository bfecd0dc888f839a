"""Which ways of spreading a model vLLM accepts, and in which order they are tried."""

from __future__ import annotations

import pytest

from curc_llm.plan.layout import (
    Layout,
    cuts_expert_block,
    expert_inner_size,
    explain_layout,
    explain_spread,
    make_layouts,
    stage_layers,
    straddles_nodes,
)
from tests.plan.by_hand import A100, DEEPSEEK_V3, GPT_OSS_20B, LLAMA_8B, MIG, QWEN3_NEXT


def test_gpus_are_counted_over_stages_and_copies() -> None:
    layout = Layout(2, 3, 4)
    assert (layout.gpus_per_replica, layout.num_gpus) == (6, 24)


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        (Layout(3), "tensor_parallel_size 3 does not divide the 32 attention heads."),
        (Layout(8), "tensor_parallel_size 8 is wider than a node, which has 4 GPUs."),
        (Layout(1, 40), "pipeline_parallel_size 40 is more than the model's 32 layers."),
        (Layout(2, enable_expert_parallel=True), "needs a mixture-of-experts model"),
        (Layout(4), ""),
        (Layout(2, 3), ""),
    ],
)
def test_a_layout_that_vllm_refuses_is_told_in_one_sentence(layout: Layout, told: str) -> None:
    reason = explain_layout(LLAMA_8B, layout, A100, 4)
    assert told in reason
    assert bool(reason) is bool(told)


def test_kv_heads_are_divided_or_repeated_a_whole_number_of_times() -> None:
    odd = LLAMA_8B.model_copy(
        update={
            "num_attention_heads": 24,
            "attention": (LLAMA_8B.attention[0].model_copy(update={"num_kv_heads": 4}),),
        }
    )
    assert "nor is a multiple" in explain_layout(odd, Layout(6), A100, 8)
    assert explain_layout(odd, Layout(8), A100, 8) == ""
    assert explain_layout(odd, Layout(2), A100, 8) == ""


def test_a_latent_cache_has_no_heads_to_divide() -> None:
    assert explain_layout(DEEPSEEK_V3, Layout(8), A100, 8) == ""


def test_mig_slices_do_not_work_together() -> None:
    assert "MIG" in explain_layout(LLAMA_8B, Layout(2), MIG, 7)
    assert "MIG" in explain_layout(LLAMA_8B, Layout(1, 1, 2), MIG, 7)
    assert make_layouts(LLAMA_8B, MIG, 2, 7) == ()
    assert make_layouts(LLAMA_8B, MIG, 1, 7) == (Layout(),)


def test_more_gpus_than_experts_leave_some_without() -> None:
    wide = Layout(8, 1, 8, enable_expert_parallel=True)
    assert "32 experts" in explain_layout(GPT_OSS_20B, wide, A100, 8)


def test_the_widest_tensor_parallelism_comes_first() -> None:
    assert make_layouts(LLAMA_8B, A100, 4, 4)[0] == Layout(4)


def test_two_nodes_are_joined_by_pipeline_stages() -> None:
    assert make_layouts(LLAMA_8B, A100, 8, 4)[0] == Layout(4, 2)


def test_three_gpus_that_do_not_divide_the_heads_become_stages() -> None:
    assert make_layouts(LLAMA_8B, A100, 3, 3)[0] == Layout(1, 3)


def test_every_layout_uses_all_gpus_and_works() -> None:
    for num_gpus in range(1, 17):
        for layout in make_layouts(QWEN3_NEXT, A100, num_gpus, 4):
            assert layout.num_gpus == num_gpus
            assert explain_layout(QWEN3_NEXT, layout, A100, 4) == ""


@pytest.mark.parametrize(
    ("num_layers", "num_stages", "dealt"),
    [(80, 4, (20, 20, 20, 20)), (62, 4, (15, 16, 16, 15)), (61, 2, (31, 30)), (5, 5, (1, 1, 1, 1, 1))],
)
def test_layers_are_dealt_as_vllm_deals_them(
    num_layers: int, num_stages: int, dealt: tuple[int, ...]
) -> None:
    assert stage_layers(num_layers, num_stages) == dealt


def test_the_inner_size_of_experts_follows_from_the_parameters() -> None:
    assert expert_inner_size(DEEPSEEK_V3) == 2048
    assert expert_inner_size(GPT_OSS_20B) == 2880
    assert expert_inner_size(QWEN3_NEXT) == 512
    assert expert_inner_size(LLAMA_8B) == 0


def test_fp8_experts_that_would_be_cut_inside_a_block_stay_whole() -> None:
    assert cuts_expert_block(QWEN3_NEXT, 8)  # 512 / 8 = 64
    assert not cuts_expert_block(QWEN3_NEXT, 4)
    assert make_layouts(QWEN3_NEXT, A100, 8, 8, "fp8")[0] == Layout(8, enable_expert_parallel=True)
    assert make_layouts(QWEN3_NEXT, A100, 8, 8, "bf16")[0] == Layout(8)


def test_copies_of_a_moe_model_share_the_experts() -> None:
    copies = [layout for layout in make_layouts(DEEPSEEK_V3, A100, 8, 8) if layout.data_parallel_size > 1]
    assert copies
    assert all(layout.enable_expert_parallel for layout in copies)


@pytest.mark.parametrize(
    ("layout", "nodes", "told"),
    [
        (Layout(4, 2), 2, ""),
        (Layout(4, 1, 2), 2, ""),
        (Layout(2, 1, 4), 2, ""),
        (Layout(4, 2, 2), 1, ""),
        (Layout(4, 2, 2), 4, "would each span 2, which only Ray starts"),
        (Layout(4, 1, 3), 2, "3 copies of the model (data_parallel_size) can't be dealt evenly to 2 nodes."),
    ],
)
def test_over_nodes_one_copy_is_a_pipeline_and_several_are_dealt_whole(
    layout: Layout, nodes: int, told: str
) -> None:
    found = explain_spread(layout, nodes)
    assert told in found
    assert bool(told) == bool(found)
    assert explain_spread(layout, nodes, uses_ray=True) == ""


def test_gpus_that_share_a_layer_stay_on_one_node() -> None:
    assert straddles_nodes(Layout(2, 3), 3)
    assert not straddles_nodes(Layout(3, 2), 3)
    assert not straddles_nodes(Layout(2, 1), 3)
