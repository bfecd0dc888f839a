"""Steps: the arithmetic of one launch in words and numbers, for `--why`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curc_llm.catalogue.model import Model, Weights
from curc_llm.plan.kv_cache import BlockTable, KvCache
from curc_llm.plan.layout import Layout
from curc_llm.plan.plan import Step
from curc_llm.plan.reserve import Reserve
from curc_llm.plan.weights import checkpoint_bytes
from curc_llm.sites.card import Card

if TYPE_CHECKING:
    from curc_llm.plan.memory import EngineWish, Fit, Stage

_GROUPS = "vllm/v1/core/kv_cache_utils.py"


@dataclass(frozen=True)
class Arithmetic:
    """What `memory.fit` worked with.

    Args:
        in_flight_tokens: tokens that are scheduled but not settled.
        blocks_per_request: blocks that one request of max_model_len tokens takes.
    """

    model: Model
    weights: Weights
    quantisation: str
    card: Card
    layout: Layout
    cache: KvCache
    reserve: Reserve
    in_flight_tokens: int
    blocks_per_request: int


def make_steps(work: Arithmetic, wish: EngineWish, fit: Fit, fullest: Stage) -> tuple[Step, ...]:
    """The steps from the checkpoint's bytes to the longest context."""
    steps = [
        _checkpoint(work),
        _weights(work, fullest),
        _usable(work, wish),
        _reserve(work, wish),
        _kv_room(fit, fullest),
    ]
    if work.cache.tables:
        steps += [_table(work, wish, table) for table in work.cache.tables]
        steps += [_block(work, fullest), _concurrency(work, wish, fit, fullest), _longest(work, fit, fullest)]
    return tuple(steps)


def _checkpoint(work: Arithmetic) -> Step:
    arch, weights = work.model.architecture, work.weights
    total = checkpoint_bytes(arch, weights)
    exact = weights.weight_bytes is not None
    return Step(
        name="Checkpoint",
        formula="bytes of its files" if exact else "parameters x bytes per parameter of the format",
        numbers=f"{total:,} bytes" if exact else f"{arch.total_params:,} parameters in {weights.format}",
        result=f"{total / 1e9:.1f} GB = {total / 2**30:.2f} GiB",
        source="safetensors headers or the model's page" if exact else "curc_llm/plan/weights.py",
    )


def _weights(work: Arithmetic, fullest: Stage) -> Step:
    layout = work.layout
    return Step(
        name="Weights on the fullest GPU",
        formula="layers of its stage / all x weights / tensor_parallel_size + embeddings + replicated parts",
        numbers=f"{fullest.num_layers} of {work.model.architecture.num_layers} layers, tensor_parallel_size "
        f"{layout.tensor_parallel_size}, held as {work.quantisation}",
        result=_gib(fullest.weight_bytes / 2**30),
        source="vllm/model_executor/layers/linear.py; vllm/distributed/utils.py, get_pp_indices",
    )


def _usable(work: Arithmetic, wish: EngineWish) -> Step:
    memory = work.card.memory_gib
    return Step(
        name="Memory that vLLM may use",
        formula="memory that CUDA reports x gpu_memory_utilization",
        numbers=f"{memory:.2f} GiB x {wish.gpu_memory_utilization}",
        result=_gib(memory * wish.gpu_memory_utilization),
        source="vllm/v1/worker/utils.py, request_memory",
    )


def _reserve(work: Arithmetic, wish: EngineWish) -> Step:
    reserve = work.reserve
    return Step(
        name="Reserve",
        formula="activations + CUDA graphs + runtime",
        numbers=f"{reserve.activations_gib:.2f} + {reserve.cuda_graphs_gib:.2f} + "
        f"{reserve.runtime_gib:.2f} GiB (max_num_batched_tokens {wish.max_num_batched_tokens}, "
        f"max_num_seqs {wish.max_num_seqs})",
        result=_gib(reserve.counted_gib),
        source="estimate from published logs, docs/how-the-arithmetic-works.md",
    )


def _kv_room(fit: Fit, fullest: Stage) -> Step:
    split = fit.split
    return Step(
        name="Room for the KV cache",
        formula="memory that vLLM may use - weights - reserve",
        numbers=f"{split.memory_gib - split.outside_gib - split.beside_gib:.2f} - {split.weights_gib:.2f} - "
        f"{split.activations_gib + split.cuda_graphs_gib + split.runtime_gib:.2f} GiB",
        result=_gib(fullest.room_bytes / 2**30),
        source="vllm/v1/worker/gpu_worker.py, determine_available_memory",
    )


def _table(work: Arithmetic, wish: EngineWish, table: BlockTable) -> Step:
    blocks = table.blocks_per_request(wish.max_model_len, work.in_flight_tokens)
    tokens = f"{wish.max_model_len:,} tokens / {table.block_tokens} per block"
    window, flight, per_block = table.window_tokens, work.in_flight_tokens, table.block_tokens
    formulas = {
        "linear": ("states x tables", f"{table.state_blocks} x {table.num_tables}"),
        "sliding": (
            "(min(window - 1 + in flight, max_model_len) / tokens per block, rounded up, + 1) x tables",
            f"(min({window} - 1 + {flight}, {wish.max_model_len}) / {per_block} + 1) x {table.num_tables}",
        ),
    }
    formula, numbers = formulas.get(
        table.kind,
        ("max_model_len / tokens per block, rounded up, x tables", f"{tokens} x {table.num_tables}"),
    )
    return Step(
        name=f"Blocks of one request in {table.num_layers} {table.kind} layers",
        formula=formula,
        numbers=numbers,
        result=f"{blocks:,} blocks",
        source="vllm/v1/kv_cache_interface.py",
    )


def _block(work: Arithmetic, fullest: Stage) -> Step:
    tables = ", ".join(
        f"{t.num_layers} {t.kind} layers in {t.num_tables} tables at {t.page_bytes / 1024:,.0f} KiB a page"
        for t in work.cache.tables
    )
    return Step(
        name="One block on the fullest GPU",
        formula="the largest table's layers x one layer's page",
        numbers=tables,
        result=f"{fullest.block_bytes / 1024:,.1f} KiB",
        source=f"{_GROUPS}, _get_kv_cache_bytes_per_block",
    )


def _concurrency(work: Arithmetic, wish: EngineWish, fit: Fit, fullest: Stage) -> Step:
    return Step(
        name=f"Requests of {wish.max_model_len:,} tokens at once",
        formula="blocks that fit / blocks of one request",
        numbers=f"{fullest.num_blocks:,} / {work.blocks_per_request:,}",
        result=f"{fit.max_concurrency:.2f}, or {fit.kv_cache_tokens:,} tokens",
        source=f"{_GROUPS}, get_max_concurrency_for_kv_cache_config",
    )


def _longest(work: Arithmetic, fit: Fit, fullest: Stage) -> Step:
    return Step(
        name="Longest context",
        formula="largest max_model_len whose blocks fit, at most the model's own",
        numbers=f"{max(0, fullest.num_blocks - 1):,} blocks; its own {work.model.max_context_tokens:,}",
        result=f"{fit.longest_context_tokens:,} tokens",
        source=f"{_GROUPS}, _estimate_max_model_len_from_groups",
    )


def _gib(value: float) -> str:
    return f"{value:.2f} GiB"
