"""Quantisation: which GPU can compute with which format of weights, and how."""

from __future__ import annotations

from curc_llm.sites.card import Card

ONLINE_FP8 = "online-fp8"

# What vLLM's CUDA builds are compiled for: CUDA 13 has no code for anything older than Turing
# (vllm CMakeLists.txt, CUDA_SUPPORTED_ARCHS; the CUDA 12.8 and later builds dropped 7.0 likewise).
MIN_COMPUTE_CAPABILITY = 7.5

_PLAIN = ("fp32", "bf16", "fp16")
# format: (lowest compute capability at all, lowest for computing in the format itself; None: never).
# From get_min_capability in vllm/model_executor/layers/quantization: fp8.py 7.5, online/base.py 7.5,
# auto_awq.py 7.5, auto_gptq.py 6.0 but its Marlin kernel 7.5, compressed_tensors_wNa16.py 7.5, _w8a8_int8.py
# 7.5, mxfp4.py 8.0, _w4a4_nvfp4.py 7.5. Native: fp8 has matrix units from Ada (8.9) on
# (compressed_tensors_w8a8_fp8.py), mxfp4 and nvfp4 from Blackwell (10.0) on; older GPUs widen the weights to
# 16 bits within Marlin or Triton kernels.
_CAPABILITIES: dict[str, tuple[float, float | None]] = {
    "fp8": (7.5, 8.9),
    ONLINE_FP8: (7.5, 8.9),
    "int8-w8a8": (7.5, 7.5),
    "awq-int4": (7.5, None),
    "gptq-int4": (7.5, None),
    "gptq-int8": (7.5, None),
    "w4a16": (7.5, None),
    "mxfp4": (8.0, 10.0),
    "nvfp4": (7.5, 10.0),
}
_ON_CPU = {
    "int8-w8a8": "native",
    "awq-int4": "weight-only",
    "gptq-int4": "weight-only",
    "w4a16": "weight-only",
}


def use_of(format_: str, card: Card) -> tuple[str, str]:
    """How a GPU uses a format: (use, why not).

    Args:
        format_: of the catalogue, or `online-fp8`.
        card: the GPU.

    Returns:
        The use, one of `native` (computes in the format), `weight-only` (saves memory, computes in 16 bits),
        `plain` (not quantised), or empty; then the second says why not, in one sentence.

    Example:
        >>> use_of("fp8", a100)
        ('weight-only', '')
    """
    if card.vendor == "cpu":
        return _use_on_cpu(format_, card)
    if reason := _explain_card(card):
        return "", reason
    capability = card.compute_capability or 0.0
    if format_ in _PLAIN:
        return "plain", ""
    if format_ not in _CAPABILITIES:
        return "", f"{format_} is no format that curc-llm knows; it knows {', '.join(_known())}."
    lowest, native = _CAPABILITIES[format_]
    if capability < lowest:
        return "", f"{format_} needs compute capability {lowest}; {card.title} has {capability}."
    return ("native" if native is not None and capability >= native else "weight-only"), ""


def _explain_card(card: Card) -> str:
    """Why vLLM can't use a GPU at all; empty when it can."""
    if card.vendor == "amd":
        # platforms/rocm.py, on_gfx9(): gfx90a, gfx942 and gfx950 only; the MI100 is gfx908.
        return f"vLLM doesn't support {card.title}: its AMD builds begin with the MI200 series."
    if card.compute_capability is None:
        return f"It isn't known which compute capability {card.title} has, so nothing can be planned for it."
    if card.compute_capability < MIN_COMPUTE_CAPABILITY:
        return (
            f"vLLM needs compute capability {MIN_COMPUTE_CAPABILITY} or higher; "
            f"{card.title} has {card.compute_capability}."
        )
    return ""


def _use_on_cpu(format_: str, card: Card) -> tuple[str, str]:
    # vllm/model_executor/kernels/linear: cpu.py of scaled_mm and mixed_precision; nothing there for fp8 or
    # fp4.
    if format_ in _PLAIN:
        return "plain", ""
    use = _ON_CPU.get(format_, "")
    return use, "" if use else f"vLLM has no {format_} for processors; {card.title} has no GPU."


def _known() -> list[str]:
    return [*_PLAIN, *_CAPABILITIES]
