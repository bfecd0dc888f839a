"""KV cache: what a request's memory of its tokens takes, by the kind of attention, as vLLM 0.32 allots it.

vLLM deals the cache out in blocks. Layers of one kind share a block table; a request takes blocks from each
table: as many as its tokens need (`full`, `mla`), as a window and the tokens in flight need (`sliding`), or
    two
(`linear`). All tables draw from one pool, so every block has the size of the largest table's block.

Sources: vllm/v1/kv_cache_interface.py (what a layer needs), vllm/v1/core/kv_cache_utils.py (how layers are
grouped and what is printed), vllm/platforms/interface.py (_align_hybrid_block_size).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from curc_llm.catalogue.architecture import Architecture, AttentionGroup
from curc_llm.sites.card import Card

# CacheConfig.DEFAULT_BLOCK_SIZE; MLA's backends take 16 to 64 by GPU, of which the largest is assumed. On
# processors 128, and 16 for MLA (vllm/platforms/cpu.py).
_GPU_BLOCK_TOKENS, _GPU_MLA_BLOCK_TOKENS = 16, 64
_CPU_BLOCK_TOKENS, _CPU_MLA_BLOCK_TOKENS = 128, 16
# Hybrid MLA models: multiples of 128 (_align_hybrid_block_size).
_HYBRID_MLA_BLOCK_TOKENS = 128
# The row of DeepSeek's sparse attention in fp8: 512 values, 4 scales and 64 rotated values (fp8_ds_mla).
_SPARSE_MLA_FP8_BYTES = 656
# Blocks of a `linear` layer that a request holds while prefixes are cached, which is the default: the state,
# the one before, and with Mamba 2 a checkpoint within the prompt (MambaSpec.max_memory_usage_bytes, mode
# "align"; mamba_mixer2.py, get_kv_cache_spec). A model without an attention layer caches nothing: one.
_STATE_BLOCKS, _LONE_STATE_BLOCKS = 3, 1
_WITHOUT_CHECKPOINT = {"Qwen3Next": 2, "Qwen3_5": 2, "KimiLinear": 2, "Lfm2": 2}


@dataclass(frozen=True)
class BlockTable:
    """Layers of one kind and the block tables that they are dealt into.

    Args:
        kind: as in AttentionGroup.
        num_layers: layers of the model.
        page_bytes: one layer's part of a block on one GPU.
        block_tokens: tokens of a block.
        window_tokens: of `sliding` and `chunked` layers.
        state_blocks: blocks that a `linear` layer holds for a request.
        num_tables: tables; each has num_layers / num_tables layers, rounded up.
    """

    kind: str
    num_layers: int
    page_bytes: float
    block_tokens: int
    window_tokens: int = 0
    state_blocks: int = 0
    num_tables: int = 1

    def blocks_per_request(self, max_model_len: int, in_flight_tokens: int) -> int:
        """Blocks that one request of max_model_len tokens takes from all tables of this kind.

        Sliding: window - 1 tokens and those in flight, and one block more since a window may begin inside a
        block (SlidingWindowSpec.max_admission_blocks_per_request). Chunked: the chunk and those in flight
        (ChunkedLocalAttentionSpec).
        """
        if self.kind == "linear":
            return self.num_tables * self.state_blocks
        if self.kind == "sliding":
            tokens = min(self.window_tokens - 1 + in_flight_tokens, max_model_len)
            return self.num_tables * (_ceil(tokens, self.block_tokens) + 1)
        if self.kind == "chunked":
            tokens = min(self.window_tokens + in_flight_tokens, max_model_len)
            return self.num_tables * _ceil(tokens, self.block_tokens)
        return self.num_tables * _ceil(max_model_len, self.block_tokens)

    def block_bytes(self, share: float) -> float:
        """Bytes of one table's block on a GPU that has this share of the layers."""
        num_layers = math.ceil(self.num_layers * share - 1e-9)
        return math.ceil(num_layers / self.num_tables) * self.page_bytes


@dataclass(frozen=True)
class KvCache:
    """How the cache of a model with `num_layers` layers is divided on each GPU."""

    tables: tuple[BlockTable, ...]
    num_layers: int

    def blocks_per_request(self, max_model_len: int, in_flight_tokens: int) -> int:
        """Blocks that one request of max_model_len tokens takes from the pool."""
        return sum(table.blocks_per_request(max_model_len, in_flight_tokens) for table in self.tables)

    def block_bytes(self, num_stage_layers: int | None = None) -> int:
        """Bytes of one block on each GPU of a pipeline stage; of the whole model without one.

        The largest table's (kv_cache_utils.py, _get_kv_cache_bytes_per_block). The layers of a kind are taken
        to be dealt evenly over the stages, as they are in today's models.
        """
        share = 1.0 if num_stage_layers is None else num_stage_layers / self.num_layers
        return round(max((table.block_bytes(share) for table in self.tables), default=0.0))


def make_kv_cache(
    arch: Architecture, card: Card, tensor_parallel_size: int = 1, kv_cache_dtype: str = "auto"
) -> KvCache:
    """How vLLM divides the cache of a model.

    Args:
        arch: the model's numbers.
        card: its vendor decides the size of blocks.
        tensor_parallel_size: KV heads are divided by it, and replicated when it is larger than they are many
            (vllm/config/model.py, get_num_kv_heads); MLA's latent vector is whole on every GPU.
        kv_cache_dtype: vLLM's own; `fp8` takes half of `auto`.
    """
    is_cpu = card.vendor == "cpu"
    tables = _make_tables(arch.attention, arch.class_name, is_cpu, tensor_parallel_size, kv_cache_dtype)
    return KvCache(tables, arch.num_layers)


def in_flight_tokens(max_num_batched_tokens: int, pipeline_parallel_size: int, card: Card) -> int:
    """Tokens that may be scheduled but not yet settled: sliding windows keep them besides their window.

    One batch per pipeline stage, and one more with asynchronous scheduling, which is the default on GPUs
    (vllm/config/vllm.py, max_in_flight_tokens).

    Example:
        >>> in_flight_tokens(2048, 1, a100)
        4096
    """
    batches = pipeline_parallel_size + (0 if card.vendor == "cpu" else 1)
    return batches * max_num_batched_tokens


def request_bytes(
    arch: Architecture, card: Card, max_model_len: int, max_num_batched_tokens: int, dtype: str
) -> int:
    """Bytes that one request of max_model_len tokens takes on a single GPU, so without replication."""
    cache = make_kv_cache(arch, card, 1, dtype)
    flight = in_flight_tokens(max_num_batched_tokens, 1, card)
    return cache.block_bytes() * cache.blocks_per_request(max_model_len, flight)


def value_bytes_of(kv_cache_dtype: str) -> float:
    """Bytes of one value in the cache.

    Example:
        >>> value_bytes_of("fp8")
        1.0
    """
    if kv_cache_dtype.startswith(("fp8", "int8")):
        return 1.0
    if kv_cache_dtype.startswith(("nvfp4", "int4")):
        # 4 bits and an 8-bit scale for each 16 values (KVQuantMode.NVFP4).
        return 0.5625
    return 4.0 if kv_cache_dtype == "float32" else 2.0


def token_bytes(group: AttentionGroup, tensor_parallel_size: int, value_bytes: float) -> float:
    """Bytes of one token in one layer on one GPU; 0 for `linear` layers, which keep none.

    Keys and values of each KV head (AttentionSpec), or one latent vector (MLAAttentionSpec, no separate
    values).

    Example:
        >>> token_bytes(llama_8b.attention[0], 1, 2.0)  # 8 heads x (128 + 128) x 2 bytes
        4096.0
    """
    if group.kind == "linear":
        return 0.0
    if group.kind == "mla":
        is_packed = bool(group.extra_bytes_per_token) and value_bytes == 1.0
        latent = _SPARSE_MLA_FP8_BYTES if is_packed else (group.latent_dim or 0) * value_bytes
        return latent + group.extra_bytes_per_token
    heads = max(1, (group.num_kv_heads or 1) // tensor_parallel_size)
    width = (group.head_dim or 0) + (group.v_head_dim or group.head_dim or 0)
    return heads * width * value_bytes + group.extra_bytes_per_token


@lru_cache(maxsize=256)
def _make_tables(
    groups: tuple[AttentionGroup, ...],
    class_name: str,
    is_cpu: bool,
    tensor_parallel_size: int,
    kv_cache_dtype: str,
) -> tuple[BlockTable, ...]:
    """The tables of a model; remembered, since the planner asks for the same ones on every GPU type."""
    if not groups:  # an encoder keeps nothing of what it has read
        return ()
    value_bytes = value_bytes_of(kv_cache_dtype)
    tables = [_make_table(group, tensor_parallel_size, value_bytes) for group in groups]
    tables = _set_block_tokens(tables, is_cpu, _state_blocks(class_name))
    return tuple(_join(tables) or _deal(_unify_pages(tables)))


def _make_table(group: AttentionGroup, tensor_parallel_size: int, value_bytes: float) -> BlockTable:
    """A kind of layers with blocks of one token, or of one state."""
    page = token_bytes(group, tensor_parallel_size, value_bytes)
    if group.kind == "linear":
        page = math.ceil((group.state_bytes or 1) / tensor_parallel_size)
    window = group.window_tokens or 0 if group.kind in ("sliding", "chunked") else 0
    return BlockTable(group.kind, group.num_layers, page, 1, window)


def _set_block_tokens(layers: Sequence[BlockTable], is_cpu: bool, state_blocks: int) -> list[BlockTable]:
    """The tables with vLLM's block sizes; a linear layer's state is padded to an attention layer's block.

    vllm/platforms/interface.py, _align_hybrid_block_size: the block grows until it holds a state.
    """
    is_mla = any(layer.kind == "mla" for layer in layers)
    tokens = _block_tokens(is_mla, is_cpu)
    states = [layer.page_bytes for layer in layers if layer.kind == "linear"]
    keepers = [layer.page_bytes for layer in layers if layer.kind != "linear"]
    if not keepers:
        return [replace(layer, state_blocks=_LONE_STATE_BLOCKS) for layer in layers]
    if states:
        step = max(tokens, _HYBRID_MLA_BLOCK_TOKENS) if is_mla else tokens
        tokens = max(tokens, step * math.ceil(max(states) / (step * keepers[0])))
    page = max(tokens * keepers[0], *states, 0)
    return [
        replace(layer, page_bytes=page, state_blocks=state_blocks)
        if layer.kind == "linear"
        else replace(layer, page_bytes=layer.page_bytes * tokens, block_tokens=tokens)
        for layer in layers
    ]


def _state_blocks(class_name: str) -> int:
    known = (blocks for prefix, blocks in _WITHOUT_CHECKPOINT.items() if class_name.startswith(prefix))
    return next(known, _STATE_BLOCKS)


def _block_tokens(is_mla: bool, is_cpu: bool) -> int:
    if is_cpu:
        return _CPU_MLA_BLOCK_TOKENS if is_mla else _CPU_BLOCK_TOKENS
    return _GPU_MLA_BLOCK_TOKENS if is_mla else _GPU_BLOCK_TOKENS


def _join(tables: Sequence[BlockTable]) -> list[BlockTable]:
    """One table for all layers, when they need the same tokens kept; else none.

    kv_cache_utils.py, get_kv_cache_groups: layers that keep every token, whatever their heads, or that all
    have the same window.
    """
    windows = {table.window_tokens for table in tables}
    kinds = {"full" if table.kind == "mla" else table.kind for table in tables}
    if len(kinds) > 1 or len(windows) > 1 or (kinds == {"linear"} and len(tables) > 1):
        return []
    num_layers = sum(table.num_layers for table in tables)
    whole = sum(table.num_layers * table.page_bytes for table in tables)
    return [replace(tables[0], num_layers=num_layers, page_bytes=whole / num_layers)] if tables else []


def _unify_pages(tables: Sequence[BlockTable]) -> list[BlockTable]:
    """Pages of one size: smaller ones hold more tokens, or are padded (unify_kv_cache_spec_page_size)."""
    largest = max(table.page_bytes for table in tables)
    return [_grow(table, largest) for table in tables]


def _grow(table: BlockTable, page_bytes: float) -> BlockTable:
    times, rest = divmod(page_bytes, table.page_bytes)
    tokens = table.block_tokens if rest else table.block_tokens * int(times)
    return replace(table, page_bytes=page_bytes, block_tokens=tokens)


def _deal(tables: Sequence[BlockTable]) -> list[BlockTable]:
    """The layers of each kind dealt into tables of about the same number of layers.

    As many layers as the rarest kind has; as the most frequent has, when they differ by less than half
    (_get_kv_cache_groups_uniform_page_size).
    """
    fewest = min(table.num_layers for table in tables)
    most = max(table.num_layers for table in tables)
    size = most if most < 1.5 * fewest else fewest
    return [replace(table, num_tables=_ceil(table.num_layers, size)) for table in tables]


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)
