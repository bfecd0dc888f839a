"""Memory: whether a launch fits, where the memory of its fullest GPU goes, and how many requests it holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from curc_llm.catalogue.model import Model, Weights
from curc_llm.plan.kv_cache import KvCache, in_flight_tokens, make_kv_cache, request_bytes
from curc_llm.plan.layout import Layout, stage_layers
from curc_llm.plan.lora import lora_gib
from curc_llm.plan.plan import MemorySplit, Step
from curc_llm.plan.reserve import Reserve, make_reserve
from curc_llm.plan.steps import Arithmetic, make_steps
from curc_llm.plan.weights import gpu_bytes, held_parts
from curc_llm.sites.card import Card

GIB = 2**30


@dataclass(frozen=True)
class EngineWish:
    """vLLM's settings that memory depends on.

    Args:
        max_model_len: context of one request in tokens.
        max_num_seqs: requests at once.
        max_num_batched_tokens: tokens of one step.
        gpu_memory_utilization: share of each GPU's memory that vLLM may use.
        kv_cache_dtype: vLLM's own.
        enforce_eager: without CUDA graphs.
        beside_gib: what the other engines on each GPU have of its memory.
        kv_cache_memory_bytes: size of the KV cache, where it isn't simply what is left.
        max_loras, max_lora_rank: room for adapters.
    """

    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    gpu_memory_utilization: float = 0.90
    kv_cache_dtype: str = "auto"
    enforce_eager: bool = False
    beside_gib: float = 0.0
    kv_cache_memory_bytes: int | None = None
    max_loras: int = 0
    max_lora_rank: int | None = None

    def outside_gib(self, card: Card) -> float:
        """What no engine on the GPU counts as its own."""
        return card.memory_gib * (1 - self.gpu_memory_utilization) - self.beside_gib


@dataclass(frozen=True)
class Fit:
    """What `fit` found.

    Args:
        fits: True when weights, reserve and the cache of one request of max_model_len tokens fit.
        split: the fullest GPU's memory. Its parts add up to the GPU's memory; of a launch that doesn't fit
            they may exceed it.
        weights_gib, kv_cache_gib: of all GPUs of one replica together.
        kv_bytes_per_token: of one request of max_model_len tokens, without replication.
        kv_cache_tokens, max_concurrency: of one replica, as vLLM prints them.
        longest_context_tokens: the largest max_model_len with which one request fits; at most the model's
            own; 0 when the weights don't fit.
        missing_gib: what the fullest GPU lacks; 0 when it fits.
        steps: the arithmetic, when it was asked for.
        outside_missing_gib: what gpu_memory_utilization leaves too little for the CUDA context and NCCL; 0
            unless it is set very high. vLLM then refuses to start ("Free memory on device … is less than …").
        most_num_seqs: the largest max_num_seqs with which graphs can be captured: models with `linear` layers
            need a block for each request (vllm/config/compilation.py); None: no such limit.
    """

    fits: bool
    split: MemorySplit
    weights_gib: float
    kv_cache_gib: float
    kv_bytes_per_token: float
    kv_cache_tokens: int
    max_concurrency: float
    longest_context_tokens: int
    missing_gib: float
    steps: tuple[Step, ...] = ()
    outside_missing_gib: float = 0.0
    most_num_seqs: int | None = None


@dataclass(frozen=True)
class Stage:
    """A pipeline stage's GPUs: weights, room for the KV cache, and one block's size, of each in bytes."""

    num_layers: int
    weight_bytes: float
    room_bytes: float
    block_bytes: int

    @property
    def num_blocks(self) -> int:
        """Blocks that fit."""
        return max(0, int(self.room_bytes // self.block_bytes)) if self.block_bytes else 0


def fit(
    model: Model,
    weights: Weights,
    quantisation: str,
    card: Card,
    layout: Layout,
    wish: EngineWish,
    with_steps: bool = False,
) -> Fit:
    """Whether a launch fits, with all its numbers.

    vLLM takes memory x gpu_memory_utilization, from that the weights, the peak of a trial pass and the CUDA
    graphs; the rest is KV cache (vllm/v1/worker/gpu_worker.py, determine_available_memory). All stages get as
    many blocks as the fullest can hold, and one request of max_model_len tokens must fit beside one block
    that is never handed out (vllm/v1/core/kv_cache_utils.py, get_kv_cache_configs).

    Args:
        model: the model.
        weights: the published weights that are served.
        quantisation: a format, or `online-fp8`.
        card: the GPU.
        layout: how the model is spread.
        wish: vLLM's settings.
        with_steps: fill `steps`.
    """
    arch = model.architecture
    cache = make_kv_cache(arch, card, layout.tensor_parallel_size, wish.kv_cache_dtype)
    seqs, batched = wish.max_num_seqs, wish.max_num_batched_tokens
    reserve = make_reserve(arch, card, layout, seqs, batched, wish.enforce_eager)
    adapters_gib = lora_gib(arch, layout, wish.max_loras, wish.max_lora_rank)
    reserve = replace(reserve, runtime_gib=reserve.runtime_gib + adapters_gib)
    stages = _make_stages(model, weights, quantisation, card, layout, wish, cache, reserve)
    fullest = min(stages, key=lambda stage: (stage.num_blocks, stage.room_bytes))
    flight = in_flight_tokens(batched, layout.pipeline_parallel_size, card)
    needed = cache.blocks_per_request(wish.max_model_len, flight)
    most_num_seqs = _most_num_seqs(cache, fullest, wish)
    wanted = needed if most_num_seqs is None else max(needed, seqs - 1)
    missing = _missing_bytes(fullest, wanted)
    outside_missing = max(0.0, reserve.context_gib - wish.outside_gib(card))
    concurrency = fullest.num_blocks / needed if needed else float(seqs)
    request = request_bytes(arch, card, wish.max_model_len, batched, wish.kv_cache_dtype)
    found = Fit(
        fits=missing <= 0 and outside_missing == 0,
        split=_make_split(card, wish, reserve, fullest),
        weights_gib=sum(stage.weight_bytes for stage in stages) * layout.tensor_parallel_size / GIB,
        kv_cache_gib=_cache_bytes(stages, fullest) * layout.tensor_parallel_size / GIB,
        kv_bytes_per_token=request / wish.max_model_len,
        kv_cache_tokens=int(concurrency * wish.max_model_len) if needed else 0,
        max_concurrency=concurrency,
        longest_context_tokens=_longest_context(cache, fullest, flight, model.max_context_tokens),
        missing_gib=max(0.0, missing) / GIB,
        outside_missing_gib=outside_missing,
        most_num_seqs=most_num_seqs,
    )
    if not with_steps:
        return found
    arithmetic = Arithmetic(model, weights, quantisation, card, layout, cache, reserve, flight, needed)
    return replace(found, steps=make_steps(arithmetic, wish, found, fullest))


def _make_stages(
    model: Model,
    weights: Weights,
    quantisation: str,
    card: Card,
    layout: Layout,
    wish: EngineWish,
    cache: KvCache,
    reserve: Reserve,
) -> list[Stage]:
    arch = model.architecture
    parts = held_parts(arch, weights, quantisation, layout)
    sizes = stage_layers(arch.num_layers, layout.pipeline_parallel_size)
    budget = card.memory_gib * wish.gpu_memory_utilization * GIB - reserve.counted_gib * GIB
    stages = []
    for place, num_layers in enumerate(sizes):
        held = gpu_bytes(parts, arch, layout, num_layers, place == 0, place == len(sizes) - 1)
        stages.append(Stage(num_layers, held, budget - held, cache.block_bytes(num_layers)))
    return stages


def _missing_bytes(stage: Stage, needed_blocks: int) -> float:
    """What a stage lacks for one request; negative when there is room."""
    needed = (needed_blocks + 1) * stage.block_bytes if needed_blocks else 0
    return needed - stage.room_bytes


def _most_num_seqs(cache: KvCache, fullest: Stage, wish: EngineWish) -> int | None:
    if wish.enforce_eager or not any(table.kind == "linear" for table in cache.tables):
        return None
    return fullest.num_blocks


def _cache_bytes(stages: list[Stage], fullest: Stage) -> float:
    return sum(fullest.num_blocks * stage.block_bytes for stage in stages)


def _make_split(card: Card, wish: EngineWish, reserve: Reserve, fullest: Stage) -> MemorySplit:
    return MemorySplit(
        memory_gib=card.memory_gib,
        outside_gib=wish.outside_gib(card),
        weights_gib=fullest.weight_bytes / GIB,
        activations_gib=reserve.activations_gib,
        cuda_graphs_gib=reserve.cuda_graphs_gib,
        runtime_gib=reserve.runtime_gib,
        kv_cache_gib=max(0.0, fullest.room_bytes / GIB),
        beside_gib=wish.beside_gib,
    )


def _longest_context(cache: KvCache, fullest: Stage, flight: int, limit: int) -> int:
    """By halving, as vLLM does it (_estimate_max_model_len_from_groups)."""
    free = fullest.num_blocks - 1
    if not cache.tables:
        return limit if fullest.room_bytes >= 0 else 0
    if cache.blocks_per_request(limit, flight) <= free:
        return limit
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if cache.blocks_per_request(middle, flight) <= free:
            low = middle
        else:
            high = middle - 1
    return low
