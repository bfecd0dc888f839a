"""Reserve: memory that vLLM needs besides weights and KV cache; an estimate, meant to be rather too much.

vLLM measures these in a trial pass (vllm/v1/worker/gpu_worker.py, determine_available_memory), so they can
only be estimated beforehand. The formulas follow what is allocated there; their constants come from published
logs, listed in tests/plan/data/calibration.yml with their addresses. How well they fit stands in
docs/how-the-arithmetic-works.md, and tests/plan/test_reserve.py compares them with those logs.
"""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.catalogue.architecture import Architecture
from curc_llm.plan.layout import Layout, expert_inner_size
from curc_llm.sites.card import Card

_GIB = 2**30
_VALUE_BYTES = 2
# Bytes for each (request, word of the vocabulary) in the sampler. vLLM up to 0.16 sorted all logits in its
# trial pass: 38.9 (llm-d planner's table, 0.11: 4.76 GiB for 1024 x 128256, 7.38 GiB for 1024 x 201088). The
# present sampler (vllm/v1/worker/gpu/sample/sampler.py) holds logits, an fp32 copy and probabilities: 2 + 2 +
# 4 + 4; logs of 0.19 allow at most 11 (gpt-oss-20b on an A100: 1.23 GiB for everything but weights and KV
# cache).
SAMPLER_BYTES = 12
# Workspaces that don't follow from sizes: Triton's and Marlin's for MoE (gpt-oss-120b with 6 requests and
# 2048 tokens: 1.05 GiB for everything, https://blog.huikang.dev/2025/12/28/vllm-logs.html), else cuBLAS's.
_MOE_WORKSPACE_GIB, _WORKSPACE_GIB = 0.34, 0.1
# An image of the largest size goes through the vision part, and its output is kept: 16384 tokens in today's
# models ("Encoder cache will be initialized with a budget of 16384 tokens"). Fitted to Qwen3.8-27B: 2.8 GiB
# on one GPU with a drafter (https://github.com/Tanguille/cluster/pull/4670), about 1.7 on each of two
# (https://github.com/mitchross/talos-argocd-proxmox/pull/1995). Models with small images (Gemma) need less.
_ENCODER_TOKENS, _ENCODER_GIB, _ENCODER_SPLIT_GIB = 16384, 0.5, 1.8
# MLA: tokens that are written out at once, and the width of a head's key and value in DeepSeek's models.
_LATENT_TOKENS, _LATENT_WIDTH = 65536, 256
# Captured graphs: 0.52 GiB for Qwen3-8B (36 layers), 0.43 for Qwen3-0.6B (28), 1.03 for gpt-oss-120b (36,
# MoE).
# All of 256 requests and more; with 2 requests 0.09 GiB (two RTX 3090), of which half a full set is reserved.
_GRAPHS_GIB, _GRAPHS_PER_LAYER_GIB, _GRAPHS_PER_MOE_LAYER_GIB = 0.2, 0.01, 0.0225
_GRAPHS_FULL_SEQS, _GRAPHS_LEAST_SHARE = 256, 0.5
# "non-torch": 0.13 GiB on one GPU, 0.55 on each of two (llm-d planner's table), and more with wider groups.
_RUNTIME_GIB, _RUNTIME_SHARED_GIB, _RUNTIME_PER_GPU_GIB = 0.2, 0.55, 0.1
# CUDA context: vLLM finds 78.6 of 79.1 GiB free on an empty H100; NCCL starts before vLLM looks
# (gpu_worker.py, "take memory snapshot after NCCL is initialized").
_CONTEXT_GIB, _NCCL_GIB = 0.5, 0.5
_CPU_RUNTIME_GIB = 1.0


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
    """What a launch needs besides weights and KV cache on each GPU.

    Args:
        arch: the model's numbers.
        card: the GPU; a processor has neither graphs nor a context.
        layout: how the model is spread.
        max_num_seqs: requests at once.
        max_num_batched_tokens: tokens of one step.
        enforce_eager: without CUDA graphs.
    """
    activations = activations_gib(arch, layout, max_num_seqs, max_num_batched_tokens)
    if card.vendor == "cpu":
        return Reserve(activations, 0.0, _CPU_RUNTIME_GIB, 0.0)
    is_alone = layout.num_gpus == 1
    return Reserve(
        activations_gib=activations,
        cuda_graphs_gib=0.0 if enforce_eager else _graphs_gib(arch, layout, max_num_seqs),
        runtime_gib=_RUNTIME_GIB
        if is_alone
        else _RUNTIME_SHARED_GIB + _RUNTIME_PER_GPU_GIB * layout.tensor_parallel_size,
        context_gib=_CONTEXT_GIB if is_alone else _CONTEXT_GIB + _NCCL_GIB,
    )


def activations_gib(
    arch: Architecture,
    layout: Layout,
    max_num_seqs: int,
    max_num_batched_tokens: int,
    sampler_bytes: float = SAMPLER_BYTES,
) -> float:
    """Peak of the trial pass: the largest of layers, sampler and vision part, which follow one another.

    The workspaces of MoE layers stay (gpu_worker.py: "grow in steps during this pass"), so they come on top.

    Args:
        arch: the model's numbers.
        layout: how the model is spread.
        max_num_seqs: requests that are sampled at once.
        max_num_batched_tokens: tokens that go through the layers at once.
        sampler_bytes: for each request and word of the vocabulary.
    """
    tp = layout.tensor_parallel_size
    layers = (max_num_batched_tokens * _layer_bytes_per_token(arch, tp) + _latent_bytes(arch, tp)) / _GIB
    sampler = max_num_seqs * arch.vocab_size * sampler_bytes / _GIB
    experts = max_num_batched_tokens * _expert_bytes_per_token(arch, tp) / _GIB
    workspace = experts + _MOE_WORKSPACE_GIB if arch.num_experts else _WORKSPACE_GIB
    if not arch.vision_params:
        return max(layers, sampler) + workspace
    cache = max(max_num_batched_tokens, _ENCODER_TOKENS) * arch.hidden_size * _VALUE_BYTES / _GIB
    encoder = _ENCODER_GIB + _ENCODER_SPLIT_GIB / tp
    return cache + max(layers, sampler, encoder) + workspace


def _layer_bytes_per_token(arch: Architecture, tensor_parallel_size: int) -> float:
    """Bytes of one token at a layer's widest place.

    Residual, its copy, and two vectors in work; in the feed-forward part both inner vectors and their
    product, in the attention part queries, keys, values and output, of which tensor parallelism leaves each
    GPU a slice.
    """
    heads = _attention_width(arch)
    inner = max(3 * _dense_inner_size(arch, heads), 2 * heads) / tensor_parallel_size
    return (4 * arch.hidden_size + inner) * _VALUE_BYTES


def _expert_bytes_per_token(arch: Architecture, tensor_parallel_size: int) -> float:
    """Two workspaces with a row for each chosen expert (fused_moe/modular_kernel.py)."""
    inner = expert_inner_size(arch) / tensor_parallel_size
    return arch.num_experts_per_token * (max(2 * inner, arch.hidden_size) + inner) * _VALUE_BYTES


def _latent_bytes(arch: Architecture, tensor_parallel_size: int) -> float:
    """MLA writes keys and values of up to 65536 earlier tokens out (mla_attention.py, chunked context)."""
    if not any(group.kind == "mla" for group in arch.attention):
        return 0.0
    return _LATENT_TOKENS * arch.num_attention_heads / tensor_parallel_size * _LATENT_WIDTH * _VALUE_BYTES


def _attention_width(arch: Architecture) -> int:
    """Values of one token's queries; hidden_size where heads have no size of their own."""
    sizes = [group.head_dim for group in arch.attention if group.head_dim]
    return arch.num_attention_heads * max(sizes) if sizes else arch.hidden_size


def _dense_inner_size(arch: Architecture, attention_width: int) -> float:
    """Inner size of the dense feed-forward part, from the parameters that attention leaves of a layer."""
    fixed = arch.embedding_params + arch.vision_params + arch.expert_params
    layer = max(0, arch.total_params - fixed) / arch.num_layers
    return max(0.0, (layer - 2 * arch.hidden_size * attention_width) / (3 * arch.hidden_size))


def _graphs_gib(arch: Architecture, layout: Layout, max_num_seqs: int) -> float:
    # One graph for each size of batch, up to twice max_num_seqs and at most 512 (vllm/config/vllm.py).
    share = max(_GRAPHS_LEAST_SHARE, min(1.0, max_num_seqs / _GRAPHS_FULL_SEQS))
    per_layer = _GRAPHS_PER_MOE_LAYER_GIB if arch.num_experts else _GRAPHS_PER_LAYER_GIB
    return share * (_GRAPHS_GIB + per_layer * arch.num_layers / layout.pipeline_parallel_size)
