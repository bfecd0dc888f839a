"""Reserve: memory that vLLM needs besides weights and KV cache."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.catalogue.architecture import Architecture
from curc_llm.plan.layout import Layout
from curc_llm.sites.card import Card

_GIB = 2**30


@dataclass(frozen=True)
class Reserve:
    """What each GPU needs besides weights and KV cache, in GiB.

    Args:
        activations_gib: peak of one forward pass.
        cuda_graphs_gib: captured graphs; 0 when eager.
        runtime_gib: libraries' workspaces and buffers between GPUs, counted by vLLM.
        context_gib: CUDA context and NCCL, which vLLM doesn't count: they must fit into what
            gpu_memory_utilization leaves free.
    """

    activations_gib: float
    cuda_graphs_gib: float
    runtime_gib: float
    context_gib: float

    @property
    def counted_gib(self) -> float:
        """What vLLM subtracts from its share of the memory."""
        return self.activations_gib + self.cuda_graphs_gib + self.runtime_gib


def make_reserve(
    arch: Architecture,
    card: Card,
    layout: Layout,
    max_num_seqs: int,
    max_num_batched_tokens: int,
    enforce_eager: bool = False,
) -> Reserve:
    """What a launch needs besides weights and KV cache on each GPU."""
    if card.vendor == "cpu":
        return Reserve(_activations_gib(arch, layout, max_num_seqs, max_num_batched_tokens), 0.0, 0.5, 0.0)
    return Reserve(
        activations_gib=_activations_gib(arch, layout, max_num_seqs, max_num_batched_tokens),
        cuda_graphs_gib=0.0 if enforce_eager else _cuda_graphs_gib(arch, layout),
        runtime_gib=_runtime_gib(layout),
        context_gib=_context_gib(layout),
    )


def _activations_gib(
    arch: Architecture, layout: Layout, max_num_seqs: int, max_num_batched_tokens: int
) -> float:
    forward = max_num_batched_tokens * _forward_bytes_per_token(arch, layout)
    sampler = max_num_seqs * arch.vocab_size * 40
    encoder = max_num_batched_tokens * arch.hidden_size * 4 + 0.5 * _GIB if arch.vision_params else 0
    return (max(forward, sampler) + encoder) / _GIB + 0.1


def _forward_bytes_per_token(arch: Architecture, layout: Layout) -> float:
    tp = layout.tensor_parallel_size
    dense = arch.hidden_size * 2 * (6 + 12 / tp)
    experts = arch.num_experts_per_token * arch.hidden_size * 2 * 3
    return dense + experts


def _cuda_graphs_gib(arch: Architecture, layout: Layout) -> float:
    stage_layers = arch.num_layers / layout.pipeline_parallel_size
    return 0.2 + 0.01 * stage_layers


def _runtime_gib(layout: Layout) -> float:
    return 0.25 if layout.num_gpus == 1 else 0.75


def _context_gib(layout: Layout) -> float:
    return 0.5 if layout.num_gpus == 1 else 1.0
