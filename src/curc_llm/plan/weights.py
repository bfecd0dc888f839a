"""Weights: bytes of a model's weights, on disk, over all GPUs, and on each GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from curc_llm.catalogue.architecture import Architecture
from curc_llm.catalogue.model import Weights
from curc_llm.plan.layout import Layout, expert_inner_size
from curc_llm.plan.quantisation import ONLINE_FP8

# Bits per parameter, scales and zero points included: (routed experts, other linear layers). Embeddings, the
# vision part and routers stay in 16 bits.
# fp8: 8 bits and a 32-bit scale per 128 x 128 block. int4 formats: 4 bits, a 16-bit scale per 128 (AWQ and
# GPTQ: a 4-bit zero point too; some groups are of 32, which makes 4.5): 4.25 stands between. mxfp4: 4 bits
# and an 8-bit scale per 32, routed experts only (OCP Microscaling specification; gpt-oss model card). nvfp4:
# 4 bits and an 8-bit scale per 16 (NVIDIA, "Introducing NVFP4").
_BITS: dict[str, tuple[float, float]] = {
    "fp32": (32.0, 32.0),
    "bf16": (16.0, 16.0),
    "fp16": (16.0, 16.0),
    "fp8": (8.002, 8.002),
    "int8-w8a8": (8.01, 8.01),
    "gptq-int8": (8.25, 8.25),
    "awq-int4": (4.25, 4.25),
    "gptq-int4": (4.25, 4.25),
    "w4a16": (4.25, 4.25),
    "mxfp4": (4.25, 16.0),
    "nvfp4": (4.5, 4.5),
}
# Mixture-of-experts models in these formats keep everything but the routed experts in 16 bits, and w4a16 has
# groups of 32 (Kimi-K2-Thinking's config.json; what NVIDIA publishes of GLM and Nemotron).
_BITS_OF_EXPERTS_ONLY = {"w4a16": (4.5, 16.0), "nvfp4": (4.5, 16.0)}
# vLLM turns fp32 checkpoints into 16 bits while it loads them (vllm/config/model.py, _resolve_auto_dtype).
_FP32_TO_16_BIT = 0.5
# online-fp8 halves linear layers and leaves the rest (quantization/online/base.py: LinearBase,
# RoutedExperts).
_BF16_TO_FP8 = 8.002 / 16.0


# Kernels for mxfp4 round up the hidden size to 256 and an expert's inner size to 128 (Marlin;
# fused_moe/oracle/mxfp4.py, mxfp4_round_up_hidden_size_and_intermediate_size): gpt-oss-20b's file of 12.8 GiB
# is held in 13.7.
_MXFP4_HIDDEN, _MXFP4_INNER = 256, 128

_ALONE = Layout()


@dataclass(frozen=True)
class WeightParts:
    """One copy of a model's weights in bytes, by how vLLM spreads them.

    Args:
        input_embedding, output_embedding: first and last stage; equal and shared when they are tied.
        is_tied: then both are the same bytes wherever first and last stage are the same.
        vision: vision or audio part, first stage.
        experts: routed experts.
        replicated: of the layers, what every GPU of a tensor-parallel group holds whole.
        body: the rest of the layers.
    """

    input_embedding: float
    output_embedding: float
    is_tied: bool
    vision: float
    experts: float
    replicated: float
    body: float

    @property
    def total(self) -> float:
        """Bytes of one copy on one GPU."""
        output = 0.0 if self.is_tied else self.output_embedding
        return self.input_embedding + output + self.vision + self.experts + self.replicated + self.body


def checkpoint_bytes(arch: Architecture, weights: Weights) -> int:
    """Bytes that are read from disk: exact where they are known, else from the parameters."""
    return weights.weight_bytes or round(_file_parts(arch, weights.format, weights.weight_bytes).total)


def held_parts(
    arch: Architecture, weights: Weights, quantisation: str, layout: Layout = _ALONE
) -> WeightParts:
    """One copy of the weights as GPUs hold them.

    The checkpoint's bytes, but fp32 becomes 16 bits and online-fp8 halves the linear layers. Formats that the
    GPU can only hold (weight-only) are repacked at the same size.

    Args:
        arch: the model's numbers.
        weights: the published weights.
        quantisation: a format, or `online-fp8`.
        layout: how the model is spread: mxfp4 pads each GPU's slice of an expert.
    """
    parts = _file_parts(arch, weights.format, weights.weight_bytes)
    if weights.format == "fp32":
        return _scale(parts, _FP32_TO_16_BIT, _FP32_TO_16_BIT)
    if quantisation == ONLINE_FP8:
        return _scale(parts, 1.0, _BF16_TO_FP8)
    if weights.format == "mxfp4":
        return replace(parts, experts=parts.experts * mxfp4_padding(arch, layout))
    return parts


def gpu_bytes(
    parts: WeightParts,
    arch: Architecture,
    layout: Layout,
    num_stage_layers: int,
    is_first: bool,
    is_last: bool,
) -> float:
    """Bytes on each GPU of one pipeline stage.

    Linear layers and embeddings are divided by tensor_parallel_size (vllm/model_executor/layers/linear.py and
    vocab_parallel_embedding.py). Routed experts are divided over data-parallel copies too, with expert
    parallelism in whole experts (layers/fused_moe/config.py, FusedMoEParallelConfig.make).

    Args:
        parts: of `held_parts`.
        arch: the model's numbers.
        layout: how the model is spread.
        num_stage_layers: layers of that stage.
        is_first: whether it holds the input embedding and the vision part.
        is_last: whether it holds the output embedding.
    """
    tp = layout.tensor_parallel_size
    share = num_stage_layers / arch.num_layers
    ends = (parts.input_embedding + parts.vision if is_first else 0.0) + (
        parts.output_embedding if is_last and not (is_first and parts.is_tied) else 0.0
    )
    return (
        ends / tp
        + share * (parts.body / tp + parts.replicated)
        + share * parts.experts * expert_share(arch, layout)
    )


def expert_share(arch: Architecture, layout: Layout) -> float:
    """Share of a layer's routed experts on each GPU.

    Example:
        >>> expert_share(deepseek_v3, Layout(8, 1, 2, enable_expert_parallel=True))  # 256 experts on 16 GPUs
        0.0625
    """
    num_gpus = layout.tensor_parallel_size * layout.data_parallel_size
    if layout.enable_expert_parallel and arch.num_experts:
        return math.ceil(arch.num_experts / num_gpus) / arch.num_experts
    return 1.0 / num_gpus


def mxfp4_padding(arch: Architecture, layout: Layout) -> float:
    """How much larger an mxfp4 expert becomes by padding its sizes.

    Example:
        >>> round(mxfp4_padding(gpt_oss_20b, Layout()), 3)  # 2880 x 2880 becomes 3072 x 2944
        1.09
    """
    slices = 1 if layout.enable_expert_parallel else layout.tensor_parallel_size * layout.data_parallel_size
    inner = (expert_inner_size(arch) or _MXFP4_INNER) / slices
    hidden = math.ceil(arch.hidden_size / _MXFP4_HIDDEN) * _MXFP4_HIDDEN / arch.hidden_size
    return hidden * math.ceil(inner / _MXFP4_INNER) * _MXFP4_INNER / inner


def replicated_params(arch: Architecture) -> int:
    """Parameters of layers that tensor parallelism doesn't divide: routers, and MLA's down projections.

    MLA's are hidden size x (q_lora_rank + latent_dim) each (ReplicatedLinear in vllm's deepseek_v2.py).
    q_lora_rank isn't among the architecture's numbers; DeepSeek-V3's is 2.7 times latent_dim (1536 and 576),
    which is assumed.
    """
    routers = arch.num_layers * arch.hidden_size * arch.num_experts
    latent = sum(
        round(group.num_layers * arch.hidden_size * (group.latent_dim or 0) * 3.7)
        for group in arch.attention
        if group.kind == "mla"
    )
    rest = arch.total_params - arch.embedding_params - arch.vision_params - arch.expert_params
    return min(routers + latent, max(0, rest))


@lru_cache(maxsize=512)
def _file_parts(arch: Architecture, format_: str, weight_bytes: int | None) -> WeightParts:
    """The parts as they lie in the checkpoint.

    Where the exact bytes are known, the linear layers get what the 16-bit parts leave. Remembered, since the
    planner asks for the same ones on every GPU type.
    """
    expert_bits, other_bits = _bits(arch, format_)
    wide = 4.0 if format_ == "fp32" else 2.0
    other_params = max(0, arch.total_params - arch.embedding_params - arch.vision_params - arch.expert_params)
    fixed = wide * (arch.embedding_params + arch.vision_params)
    linear = arch.expert_params * expert_bits / 8 + other_params * other_bits / 8
    whole, narrow = _fit_to_exact(fixed, linear, weight_bytes)
    other = other_params * other_bits / 8 * narrow
    replicated = other * replicated_params(arch) / other_params if other_params else 0.0
    table = arch.vocab_size * arch.hidden_size
    is_tied = arch.embedding_params < 1.5 * table
    embedding = wide * arch.embedding_params * whole
    return WeightParts(
        input_embedding=embedding if is_tied else embedding / 2,
        output_embedding=embedding if is_tied else embedding / 2,
        is_tied=is_tied,
        vision=wide * arch.vision_params * whole,
        experts=arch.expert_params * expert_bits / 8 * narrow,
        replicated=replicated,
        body=other - replicated,
    )


def _bits(arch: Architecture, format_: str) -> tuple[float, float]:
    if arch.num_experts and format_ in _BITS_OF_EXPERTS_ONLY:
        return _BITS_OF_EXPERTS_ONLY[format_]
    return _BITS[format_]


def _fit_to_exact(fixed: float, linear: float, exact: int | None) -> tuple[float, float]:
    """Factors for the 16-bit parts and for the linear ones, with which they add up to the exact bytes."""
    if exact is None:
        return 1.0, 1.0
    # A file smaller than its 16-bit parts has them quantised too: then all shrink alike.
    if exact <= fixed or not linear:
        factor = exact / (fixed + linear)
        return factor, factor
    return 1.0, (exact - fixed) / linear


def _scale(parts: WeightParts, of_16_bit: float, of_linear: float) -> WeightParts:
    return WeightParts(
        input_embedding=parts.input_embedding * of_16_bit,
        output_embedding=parts.output_embedding * of_16_bit,
        is_tied=parts.is_tied,
        vision=parts.vision * of_16_bit,
        experts=parts.experts * of_linear,
        replicated=parts.replicated * of_linear,
        body=parts.body * of_linear,
    )
