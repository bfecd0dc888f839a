"""What a checkpoint's weights are in, from its config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from curc_llm.catalogue.model import Format

DTYPES: dict[str, Format] = {"float32": "fp32", "float": "fp32", "float16": "fp16", "half": "fp16"}
# What `quant_method` alone tells (transformers 5.19, quantizers/auto.py; vLLM 0.32, layers/quantization).
METHODS: dict[str, Format] = {
    "fp8": "fp8",
    "fbgemm_fp8": "fp8",
    "finegrained_fp8": "fp8",
    "mxfp4": "mxfp4",
    "gpt_oss_mxfp4": "mxfp4",
    "modelopt_fp4": "nvfp4",
}
# How ModelOpt names its kinds (hf_quant_config.json: quant_algo).
MODELOPT: dict[str, Format] = {"FP8": "fp8", "FP8_PB_WO": "fp8", "NVFP4": "nvfp4", "W4A16_AWQ": "w4a16"}
COMPRESSED: dict[str, Format] = {
    "float-quantized": "fp8",
    "naive-quantized": "fp8",
    "nvfp4-pack-quantized": "nvfp4",
    "mxfp4-pack-quantized": "mxfp4",
}
BY_BITS: dict[tuple[str, int], Format] = {
    ("awq", 4): "awq-int4",
    ("gptq", 4): "gptq-int4",
    ("gptq", 8): "gptq-int8",
    ("auto-round", 4): "w4a16",
    ("auto-round", 8): "gptq-int8",
    ("inc", 4): "w4a16",
}


def read_format(config: Mapping[str, Any]) -> tuple[Format, str]:
    """What the weights are in, and what had to be assumed for that in one sentence (empty: nothing).

    Args:
        config: config.json, with hf_quant_config.json's `quantization` where there is one.

    Example:
        >>> read_format({"quantization_config": {"quant_method": "gptq", "bits": 4}})
        ('gptq-int4', '')
    """
    plain = _read_dtype(config)
    about = find_quantisation(config)
    if about is None:
        return plain, ""
    method = str(about.get("quant_method") or "").lower().replace("_marlin", "")
    found = _read_method(method, about, config)
    if found is not None:
        return found, ""
    if method == "bitsandbytes":
        nearest: Format = "w4a16" if about.get("load_in_4bit") else "gptq-int8"
        return nearest, f"Weights in bitsandbytes are counted as {nearest}."
    name = method or "without a name"
    return plain, f"Its kind of quantisation ({name[:40]}) isn't known here; weights are counted as {plain}."


def find_quantisation(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part that says how the weights are quantised; None when they aren't."""
    text = config.get("text_config")
    places = [config, text] if isinstance(text, dict) else [config]
    for place in places:
        for key in ("quantization_config", "compression_config"):
            if isinstance(found := place.get(key), dict) and found:
                return found
    about = config.get("quantization")  # ModelOpt's own file, and Mistral's params.json
    if isinstance(about, dict) and about.get("quant_algo"):
        return {"quant_method": "modelopt", **about}
    if isinstance(about, dict) and str(about.get("qformat_weight", "")).startswith("fp8"):
        return {"quant_method": "fp8"}
    return None


def read_kv_scales(config: Mapping[str, Any]) -> bool | None:
    """Whether vLLM reads scales for an FP8 KV cache with the weights; None: it isn't known.

    Source: vLLM 0.32, model_executor/layers/attention/attention.py (_init_kv_cache_quant) and what
    get_quant_method returns for attention in layers/quantization/fp8.py, modelopt.py, compressed_tensors.py.

    Example:
        >>> read_kv_scales({"quantization_config": {"quant_method": "fp8"}})
        True
    """
    about = find_quantisation(config)
    method = str((about or {}).get("quant_method") or "").lower()
    if about is None or method == "compressed-tensors":
        return about is not None and about.get("kv_cache_scheme") is not None
    return True if method == "fp8" or method.startswith("modelopt") else None


def _read_dtype(config: Mapping[str, Any]) -> Format:
    for place in (config, config.get("text_config"), config.get("llm_config")):
        if isinstance(place, Mapping) and (stated := place.get("dtype") or place.get("torch_dtype")):
            return DTYPES.get(str(stated).removeprefix("torch."), "bf16")
    return "bf16"


def _read_method(method: str, about: Mapping[str, Any], config: Mapping[str, Any]) -> Format | None:
    if method == "fp8" and config.get("expert_dtype") == "fp4":  # DeepSeek-V4: experts in MXFP4
        return "mxfp4"
    if method in METHODS:
        return METHODS[method]
    if method == "compressed-tensors":
        return _read_compressed(about)
    if method.startswith("modelopt") or (not method and about.get("quant_algo")):
        return MODELOPT.get(str(about.get("quant_algo") or about.get("quant_type") or "").upper())
    bits = about.get("bits") or about.get("w_bit")
    return BY_BITS.get((method, bits)) if isinstance(bits, int) else None


def _read_compressed(about: Mapping[str, Any]) -> Format | None:
    """compressed-tensors: its `format`, else bits and type of the first group of layers."""
    if (stated := str(about.get("format", ""))) in COMPRESSED:
        return COMPRESSED[stated]
    groups = about.get("config_groups")
    group = next(iter(groups.values()), None) if isinstance(groups, dict) else None
    weights = group.get("weights") if isinstance(group, dict) else None
    if not isinstance(weights, dict):
        return None
    bits, is_float = weights.get("num_bits"), weights.get("type") == "float"
    with_activations = bool(cast("dict[str, Any]", group).get("input_activations"))
    kinds: dict[tuple[object, bool, bool], Format] = {
        (8, True, True): "fp8",
        (8, True, False): "fp8",
        (8, False, True): "int8-w8a8",
        (8, False, False): "gptq-int8",
        (4, False, False): "w4a16",
        (4, True, True): "nvfp4",
        (4, True, False): "nvfp4",
    }
    return kinds.get((bits, is_float, with_activations))
