"""Bytes of the KV cache by kind of attention, and how vLLM deals them out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.catalogue.architecture import Architecture, AttentionGroup
from curc_llm.plan.kv_cache import (
    in_flight_tokens,
    make_kv_cache,
    request_bytes,
    token_bytes,
    value_bytes_of,
)
from tests.plan.by_hand import (
    A100,
    ALL,
    CPU,
    DEEPSEEK_V3,
    GEMMA_27B,
    GPT_OSS_20B,
    LLAMA_8B,
    LLAMA_70B,
    QWEN3_32B,
    QWEN3_NEXT,
    full,
    sliding,
)

KIB = 1024


def with_attention(*groups: AttentionGroup, class_name: str = "Anything") -> Architecture:
    num_layers = sum(group.num_layers for group in groups)
    return LLAMA_8B.model_copy(
        update={"attention": groups, "num_layers": num_layers, "class_name": class_name}
    )


@pytest.mark.parametrize(
    ("arch", "kib"), [(LLAMA_8B, 128), (LLAMA_70B, 320), (QWEN3_32B, 256), (DEEPSEEK_V3, 68.625)]
)
def test_bytes_per_token_are_the_known_ones(arch: Architecture, kib: float) -> None:
    assert request_bytes(arch, A100, 8192, 2048, "auto") / 8192 == kib * KIB


@pytest.mark.parametrize(("name", "size"), [("auto", 2), ("fp8", 1), ("fp8_e5m2", 1), ("nvfp4", 0.5625)])
def test_the_cache_can_be_held_in_fewer_bits(name: str, size: float) -> None:
    assert value_bytes_of(name) == size
    assert request_bytes(LLAMA_8B, A100, 8192, 2048, name) / 8192 == 64 * KIB * size


def test_kv_heads_are_divided_and_then_replicated() -> None:
    group = LLAMA_8B.attention[0]
    assert [token_bytes(group, tp, 2.0) for tp in (1, 2, 8, 16)] == [4096, 2048, 512, 512]


def test_a_latent_vector_is_whole_on_every_gpu() -> None:
    assert token_bytes(DEEPSEEK_V3.attention[0], 8, 2.0) == 576 * 2


def test_values_may_be_narrower_than_keys_and_indices_come_on_top() -> None:
    narrow = AttentionGroup(kind="full", num_layers=1, num_kv_heads=2, head_dim=192, v_head_dim=128)
    assert token_bytes(narrow, 1, 2.0) == 2 * (192 + 128) * 2
    sparse = AttentionGroup(kind="mla", num_layers=1, latent_dim=576, extra_bytes_per_token=132)
    assert token_bytes(sparse, 1, 2.0) == 576 * 2 + 132
    assert token_bytes(sparse, 1, 1.0) == 656 + 132


def test_a_sliding_window_stops_growing() -> None:
    cache = make_kv_cache(with_attention(sliding(32, 8, 128, 4096)), A100)
    # (4096 - 1 + 4096 in flight) / 16, rounded up, + 1
    assert cache.blocks_per_request(131072, 4096) == 513
    assert cache.blocks_per_request(262144, 4096) == 513
    assert cache.blocks_per_request(1024, 4096) == 65


def test_chunks_stop_growing_without_the_extra_block() -> None:
    chunked = AttentionGroup(kind="chunked", num_layers=3, num_kv_heads=8, head_dim=128, window_tokens=8192)
    cache = make_kv_cache(with_attention(full(1, 8, 128), chunked), A100)
    assert cache.blocks_per_request(1_000_000, 2048) == 62500 + 3 * 640


def test_five_windows_to_one_full_layer_are_six_tables() -> None:
    cache = make_kv_cache(GEMMA_27B, A100)
    assert [(t.kind, t.num_tables) for t in cache.tables] == [("full", 1), ("sliding", 6)]
    assert cache.block_bytes() == 10 * 16 * 2 * 16 * 128 * 2


def test_kinds_of_about_equal_number_share_tables_of_the_larger() -> None:
    cache = make_kv_cache(with_attention(full(12, 8, 64), sliding(13, 8, 64, 128)), A100)
    assert [t.num_tables for t in cache.tables] == [1, 1]
    assert cache.block_bytes() == 13 * 16 * 2 * 8 * 64 * 2


def test_layers_with_smaller_pages_hold_more_tokens_in_a_block() -> None:
    cache = make_kv_cache(with_attention(full(6, 2, 512), sliding(30, 8, 256, 1024)), A100)
    assert {t.page_bytes for t in cache.tables} == {16 * 2 * 8 * 256 * 2}
    assert [t.block_tokens for t in cache.tables] == [32, 16]


def test_pages_that_do_not_divide_are_padded() -> None:
    cache = make_kv_cache(with_attention(full(6, 3, 128), sliding(30, 8, 128, 1024)), A100)
    assert [t.block_tokens for t in cache.tables] == [16, 16]
    assert {t.page_bytes for t in cache.tables} == {16 * 2 * 8 * 128 * 2}


def test_full_layers_of_two_sizes_share_one_table() -> None:
    cache = make_kv_cache(with_attention(full(4, 8, 128), full(4, 4, 128)), A100)
    assert len(cache.tables) == 1
    assert cache.block_bytes() == 16 * (4 * 4096 + 4 * 2048)


def test_blocks_grow_until_they_hold_a_state() -> None:
    cache = make_kv_cache(QWEN3_NEXT, A100)
    # 1,097,728 bytes of state / (16 tokens x 2 KiB), rounded up, x 16
    assert [(t.kind, t.block_tokens, t.page_bytes) for t in cache.tables] == [
        ("full", 544, 544 * 2048),
        ("linear", 1, 544 * 2048),
    ]
    assert cache.blocks_per_request(8192, 4096) == 16 + 3 * 2


def test_mamba_2_holds_a_checkpoint_more_than_delta_nets() -> None:
    state = AttentionGroup(kind="linear", num_layers=3, state_bytes=100_000)
    groups = (full(1, 8, 128), state)
    mamba = make_kv_cache(with_attention(*groups, class_name="NemotronHForCausalLM"), A100)
    delta = make_kv_cache(with_attention(*groups, class_name="Qwen3_5ForConditionalGeneration"), A100)
    assert mamba.blocks_per_request(16, 0) - delta.blocks_per_request(16, 0) == 3


def test_a_model_of_states_alone_needs_one_block_whatever_the_context() -> None:
    state = AttentionGroup(kind="linear", num_layers=24, state_bytes=100_000)
    cache = make_kv_cache(with_attention(state), A100, 2)
    assert cache.blocks_per_request(1_000_000, 4096) == 1
    assert cache.block_bytes() == 24 * 50_000


def test_an_encoder_has_no_cache() -> None:
    bare = make_kv_cache(LLAMA_8B.model_copy(update={"attention": ()}), A100)
    assert (bare.block_bytes(), bare.blocks_per_request(512, 512)) == (0, 0)


def test_a_pipeline_stage_holds_its_layers() -> None:
    cache = make_kv_cache(LLAMA_70B, A100)
    assert cache.block_bytes(27) == 27 * 16 * 4096
    assert make_kv_cache(GEMMA_27B, A100).block_bytes(31) == 5 * 16 * 8192


def test_processors_have_larger_blocks() -> None:
    assert make_kv_cache(LLAMA_8B, CPU).tables[0].block_tokens == 128
    assert make_kv_cache(DEEPSEEK_V3, CPU).tables[0].block_tokens == 16


def test_tokens_in_flight_are_a_batch_for_each_stage_and_one_ahead() -> None:
    assert in_flight_tokens(2048, 1, A100) == 4096
    assert in_flight_tokens(2048, 3, A100) == 8192
    assert in_flight_tokens(2048, 1, CPU) == 2048


@given(arch=st.sampled_from(ALL), tokens=st.integers(16, 200_000), more=st.integers(1, 50_000))
def test_a_longer_request_never_needs_fewer_blocks(arch: Architecture, tokens: int, more: int) -> None:
    cache = make_kv_cache(arch, A100)
    assert cache.blocks_per_request(tokens, 4096) <= cache.blocks_per_request(tokens + more, 4096)


@given(arch=st.sampled_from(ALL), tp=st.sampled_from((1, 2, 4, 8)))
def test_tensor_parallelism_never_enlarges_a_block(arch: Architecture, tp: int) -> None:
    per_token = [make_kv_cache(arch, A100, size) for size in (1, tp)]
    one, many = (cache.block_bytes() * cache.blocks_per_request(65536, 4096) for cache in per_token)
    assert many <= one * 1.05  # states round the size of blocks up


def test_a_window_as_long_as_the_context_costs_one_block_more_than_full_attention() -> None:
    window = make_kv_cache(with_attention(sliding(32, 8, 128, 8192)), A100)
    whole = make_kv_cache(with_attention(full(32, 8, 128)), A100)
    assert window.blocks_per_request(4096, 0) == whole.blocks_per_request(4096, 0) + 1


def test_gpt_oss_keeps_half_its_layers_short() -> None:
    cache = make_kv_cache(GPT_OSS_20B, A100)
    assert cache.blocks_per_request(131072, 4096) == 8192 + (127 + 4096 + 15) // 16 + 1
