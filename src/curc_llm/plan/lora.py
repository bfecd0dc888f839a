"""LoRA: the room that vLLM sets aside on each GPU for adapters, whatever they change."""

from __future__ import annotations

from curc_llm.catalogue.architecture import Architecture
from curc_llm.plan.layout import Layout

GIB = 2**30
_VALUE_BYTES = 2  # adapters are held in 16 bits, those of quantised models too
# Matrices of a layer that may be changed: q, k, v, o, and gate, up, down of the feed-forward part.
_ATTENTION_MATRICES, _FEED_FORWARD_MATRICES = 4, 3
DEFAULT_RANK = 16  # vLLM's own


def lora_gib(arch: Architecture, layout: Layout, max_loras: int, max_lora_rank: int | None = None) -> float:
    """What adapters take on each GPU, in GiB; 0 without any.

    Every linear layer gets, for each adapter of a batch, a matrix of (rank, inputs) and one of (outputs,
    rank), in each of its slices (vllm/lora/layers/base_linear.py, create_lora_weights); an expert is a slice
    (vllm/lora/layers/fused_moe.py). One side of each layer is the model's hidden size, which no GPU splits;
    the other side, added up over all layers, is their parameters divided by it.

    Args:
        arch: the model's numbers.
        layout: how the model is spread.
        max_loras: adapters that one batch may use.
        max_lora_rank: the largest rank; vLLM's default when none is named.

    Example:
        >>> round(lora_gib(llama_3_1_8b, Layout(), 1, 16), 3)
        0.078
    """
    if not max_loras:
        return 0.0
    linear = arch.total_params - arch.embedding_params - arch.vision_params
    experts = max(1, arch.num_experts)
    if layout.enable_expert_parallel:
        experts = -(-experts // (layout.tensor_parallel_size * layout.data_parallel_size))
    matrices = _ATTENTION_MATRICES + _FEED_FORWARD_MATRICES * experts
    whole_sides = arch.num_layers * matrices * arch.hidden_size
    split_sides = linear / arch.hidden_size / layout.tensor_parallel_size
    numbers = max_loras * (max_lora_rank or DEFAULT_RANK) * (whole_sides + split_sides)
    return numbers * _VALUE_BYTES / layout.pipeline_parallel_size / GIB
