"""Speed: how long loading takes and how fast one request is written; estimates, and stated as such."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from curc_llm.catalogue.model import Model, Weights
from curc_llm.plan.kv_cache import token_bytes
from curc_llm.plan.layout import Layout
from curc_llm.plan.weights import held_parts
from curc_llm.sites.card import Card

# vLLM's own start with cold caches: imports and processes 37 to 59 s (measured without a GPU), and
# compilation with graph capture 91 s for an 8B model
# (https://github.com/run-ai/runai-model-streamer/issues/67), 34 s with warm caches
# (https://github.com/vllm-project/vllm/issues/20264), 215 s for 70B on eight GPUs
# (https://github.com/vllm-project/vllm/issues/19824).
_START_S = 120.0
# Nodes join before anything is loaded, side by side: 20 s for the second, as much for each doubling.
_START_PER_DOUBLING_S = 20.0
_GB = 10**9

# Fitted to 75 tokens/s of an 8B model in BF16 on an A100 40 GB (https://johnmusgrave.com, vLLM 0.23).
_BANDWIDTH_EFFICIENCY = 0.80
_STEP_OVERHEAD_S = 0.001
# Two all-reduces a layer; each costs its latency, since one token's vector is small.
_ALL_REDUCE_NVLINK_S = 10e-6
_ALL_REDUCE_PCIE_S = 30e-6
_NVLINK_GB_PER_S = 100.0
_STAGE_HOP_S = 50e-6
# One step of an all-reduce's tree over InfiniBand, with NCCL's protocol for small messages: `hwLat` of NCCL's
# own model (https://github.com/NVIDIA/nccl/blob/master/src/graph/tuning.cc).
_NETWORK_HOP_S = 5e-6
_BYTES_PER_VALUE = 2  # what GPUs exchange is BF16, whatever the weights


@dataclass(frozen=True)
class Crossing:
    """What lies between the nodes of a launch.

    Args:
        gpus_per_node: GPUs that the launch has on each.
        gb_per_s: 10^9 bytes per second between two; None: the site file doesn't tell, or the link is slow.
    """

    gpus_per_node: int
    gb_per_s: float | None = None


def load_time_s(weight_bytes: int, read_gb_per_s: float, num_nodes: int = 1) -> float:
    """Seconds from the job's start until the model answers: an estimate.

    Bytes / storage rate, and vLLM's own start. Nodes share the storage, and each reads what its GPUs need.

    Args:
        weight_bytes: of the checkpoint.
        read_gb_per_s: storage rate of one job in 10^9 bytes per second.
        num_nodes: nodes that start together.

    Example:
        >>> round(load_time_s(141_000_000_000, 1.0))
        261
    """
    return weight_bytes / _GB / read_gb_per_s + _START_S + _START_PER_DOUBLING_S * math.log2(num_nodes)


def decode_tokens_per_s(
    model: Model,
    weights: Weights,
    quantisation: str,
    card: Card,
    layout: Layout,
    context_tokens: int = 2048,
    crossing: Crossing | None = None,
) -> float:
    """Tokens per second of one request alone, after its prompt: an estimate from memory bandwidth.

    Each token reads the weights that it passes through and the KV cache of what stands before it, once;
    pipeline stages work one after the other, so only tensor parallelism shortens a step:
    step = (active weight bytes + KV bytes) / tensor_parallel_size / (bandwidth x 0.80) + overheads.

    Where tensor parallelism crosses nodes, each of the two all-reduces of a layer takes 2 x log2(nodes) steps
    of 5 µs more (latency of a tree in NCCL's own model, src/graph/tuning.cc), and twice the token's vector
    passes the network. Without the site's figure for that it counts as no faster than what one node has: real
    networks are seldom as quick as NCCL's model.

    Args:
        model: the model.
        weights: the published weights that are served.
        quantisation: a format, or `online-fp8`.
        card: the GPU.
        layout: how the model is spread.
        context_tokens: tokens that stand before.
        crossing: what lies between the nodes; None: one node.
    """
    most = math.inf
    if crossing is not None and layout.tensor_parallel_size <= crossing.gpus_per_node:
        crossing = None
    if crossing is not None and crossing.gb_per_s is None:
        inside = replace(layout, tensor_parallel_size=crossing.gpus_per_node)
        most = decode_tokens_per_s(model, weights, quantisation, card, inside, context_tokens)
    tp = layout.tensor_parallel_size
    read = _active_bytes(model, weights, quantisation) + _kv_read_bytes(model, tp, context_tokens) * tp
    step_s = read / tp / (card.memory_bandwidth_gb_per_s * _GB * _BANDWIDTH_EFFICIENCY)
    exchange_s = _communication_s(model, card, layout) + _crossing_s(model, layout, crossing)
    return min(most, 1.0 / (step_s + _STEP_OVERHEAD_S + exchange_s))


def _active_bytes(model: Model, weights: Weights, quantisation: str) -> float:
    """Weight bytes that one token passes through: of routed experts its own, of the input table one row."""
    arch = model.architecture
    parts = held_parts(arch, weights, quantisation)
    chosen = arch.num_experts_per_token / arch.num_experts if arch.num_experts else 1.0
    return parts.body + parts.replicated + parts.output_embedding + parts.experts * chosen


def _kv_read_bytes(model: Model, tensor_parallel_size: int, context_tokens: int) -> float:
    """Bytes of the cache that each GPU reads for one token."""
    total = 0.0
    for group in model.architecture.attention:
        if group.kind == "linear":
            total += group.num_layers * (group.state_bytes or 0) / tensor_parallel_size
            continue
        tokens = min(context_tokens, group.window_tokens or context_tokens)
        total += group.num_layers * token_bytes(group, tensor_parallel_size, 2.0) * tokens
    return total


def _communication_s(model: Model, card: Card, layout: Layout) -> float:
    hops = (layout.pipeline_parallel_size - 1) * _STAGE_HOP_S
    if layout.tensor_parallel_size == 1:
        return hops
    fast = (card.link_gb_per_s or 0.0) >= _NVLINK_GB_PER_S
    each = _ALL_REDUCE_NVLINK_S if fast else _ALL_REDUCE_PCIE_S
    return hops + 2 * model.architecture.num_layers * each


def _crossing_s(model: Model, layout: Layout, crossing: Crossing | None) -> float:
    """Seconds that the all-reduces of one token spend between nodes."""
    if crossing is None:
        return 0.0
    arch, nodes = model.architecture, layout.tensor_parallel_size / crossing.gpus_per_node
    latency_s = 2 * math.ceil(math.log2(nodes)) * _NETWORK_HOP_S
    sent = 2 * arch.hidden_size * _BYTES_PER_VALUE
    sending_s = sent / (crossing.gb_per_s * _GB) if crossing.gb_per_s is not None else 0.0
    return 2 * arch.num_layers * (latency_s + sending_s)
