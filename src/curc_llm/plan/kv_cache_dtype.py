"""KV cache type: which `kv_cache_dtype` vLLM takes for these weights, this attention and this GPU.

All from vLLM 0.32. vLLM tries its attention backends one by one (vllm/platforms/cuda.py,
_get_backend_priorities) and takes the first that says it can; Triton's says so of every GPU and raises later.
"""

from __future__ import annotations

from typing import NamedTuple

from curc_llm.catalogue.architecture import Architecture, AttentionGroup
from curc_llm.catalogue.model import Weights
from curc_llm.sites.card import Card

# v1/attention/backends/triton_attn.py and mla/triton_mla.py: "native FP8 (fp8e4nv) requires SM89+".
TRITON_FP8 = 8.9
# v1/attention/backends/flashinfer.py: supports_compute_capability, get_supported_head_sizes. Besides Triton
# it is the only one with an FP8 cache on Ampere: FlashAttention needs FA3 on 9.0 or FA4 on 10.0 (fa_utils.py,
# flash_attn_supports_kv_cache_dtype), FlexAttention has none.
FLASHINFER = 8.0
FLASHINFER_HEADS = (64, 128, 256, 512)
# triton_attn.py and triton_mla.py: "bfloat16 requires SM80+".
BFLOAT16 = 8.0
# Attention sinks, which FlashInfer has from 9.0 on only (flashinfer.py, supports_sink; models/gpt_oss.py).
WITH_SINKS = ("GptOssForCausalLM",)
# Whose FP8 and NVFP4 weights are of quant_method `fp8` or `modelopt`: these have a KV cache method of their
# own. Others use compressed-tensors as well, so nothing is certain of them.
OF_OWN_METHOD = ("Qwen/", "MiniMaxAI/", "nvidia/")
FLOATS = ("fp8", "nvfp4")


class Verdict(NamedTuple):
    """What vLLM does with a KV cache type.

    Args:
        refusal: why it refuses it, in one sentence; empty when it doesn't.
        caution: what may go wrong, in one sentence; empty when nothing is known to.
    """

    refusal: str = ""
    caution: str = ""


def judge_kv_cache_dtype(
    dtype: str, arch: Architecture, weights: Weights, quantisation: str, card: Card
) -> Verdict:
    """What vLLM does with a KV cache type.

    Args:
        dtype: vLLM's own, such as `fp8_e5m2`.
        arch: the model's numbers.
        weights: as published.
        quantisation: their format, or `online-fp8`.
        card: the GPU.

    Sources: of weights, model_executor/layers/attention/attention.py (_init_kv_cache_quant); of attention,
    `supported_kv_cache_dtypes` of v1/attention/backends/*.py and mla/*.py; of GPUs, the constants above.

    Example:
        >>> judge_kv_cache_dtype("fp8_e5m2", qwen3_8b, fp8_weights, "fp8", h200).refusal
        "kv_cache_dtype fp8_e5m2 doesn't go with Qwen/Qwen3-8B-FP8: vLLM refuses it for such FP8 weights."
    """
    groups = [group for group in arch.attention if group.kind != "linear"]
    if dtype == "auto" or not groups:
        return Verdict()
    refusal = _explain_gpu(dtype, arch, groups, card)
    if refusal or dtype != "fp8_e5m2":
        return Verdict(refusal, "" if refusal else _doubt_ampere(dtype, card))
    brings = _brings_scales(weights, quantisation)
    if brings:
        named = weights.hub_id or "this checkpoint"
        return Verdict(
            f"kv_cache_dtype {dtype} doesn't go with {named}: vLLM refuses it for such FP8 weights."
        )
    if brings is None:
        return Verdict(
            caution=f"vLLM refuses kv_cache_dtype {dtype} for most FP8 weights, and maybe for these."
        )
    return Verdict(caution=_doubt_ampere(dtype, card))


def _explain_gpu(dtype: str, arch: Architecture, groups: list[AttentionGroup], card: Card) -> str:
    """Why no attention backend for this GPU takes it; empty when one does."""
    has_latent = any(group.kind == "mla" for group in groups)
    if dtype == "fp8_e5m2" and has_latent:
        return f"kv_cache_dtype {dtype} doesn't go with latent attention (MLA): no backend of vLLM has it."
    capability = card.compute_capability
    if capability is None:  # processors
        return ""
    has = f"{card.title} has {capability}"
    if dtype == "bfloat16" and capability < BFLOAT16:
        return f"kv_cache_dtype {dtype} needs compute capability {BFLOAT16}; {has}."
    if not dtype.startswith("fp8") or capability >= TRITON_FP8:
        return ""
    if has_latent:
        what = "latent attention (MLA)"
        return f"kv_cache_dtype {dtype} with {what} needs compute capability {TRITON_FP8}; {has}."
    if capability < FLASHINFER:
        return f"kv_cache_dtype {dtype} needs compute capability {FLASHINFER}; {has}."
    if what := _beyond_flashinfer(arch, groups):
        return f"kv_cache_dtype {dtype} with {what} needs compute capability {TRITON_FP8}; {has}."
    return ""


def _beyond_flashinfer(arch: Architecture, groups: list[AttentionGroup]) -> str:
    """What of the model FlashInfer has nothing for; empty when it has all."""
    if arch.class_name in WITH_SINKS:
        return "attention sinks"
    odd = [group.head_dim for group in groups if group.head_dim and group.head_dim not in FLASHINFER_HEADS]
    return f"heads of {odd[0]}" if odd else ""


def _doubt_ampere(dtype: str, card: Card) -> str:
    capability = card.compute_capability
    if capability is None or capability >= TRITON_FP8 or not dtype.startswith("fp8"):
        return ""
    return (
        f"On {card.title} vLLM has kv_cache_dtype {dtype} with FlashInfer only: a model beyond that "
        "fails at the start."
    )


def _brings_scales(weights: Weights, quantisation: str) -> bool | None:
    """Whether vLLM reads the KV cache's scales with the weights; None: it isn't known."""
    if quantisation not in FLOATS:  # of online-fp8 there is nothing to read
        return False
    if weights.brings_kv_scales is not None:
        return weights.brings_kv_scales
    return True if weights.hub_id.startswith(OF_OWN_METHOD) else None
