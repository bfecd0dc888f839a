"""Counts a model's parameters from its published config values, on PyTorch's meta device: without weights."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).parent / "configs"
_VISION = re.compile(r"(^|\.)(visual|vision_tower|vision_model|multi_modal_projector|mm_projector)\.")
_EMBEDDING = re.compile(
    r"(embed_tokens|lm_head|embed_out|word_embeddings)\.weight$|^(backbone|model)\.embeddings\.weight$"
)
_ENCODERS = ("XLMRobertaModel", "NomicBertModel", "MistralModel")
# Names of which transformers has no class of its own.
_SAME_AS = {"kimi_k2": "deepseek_v3"}
# Where the checkpoint holds a prediction layer: module and class of the decoder layer that it repeats.
_PREDICTION = {
    "qwen3_next": ("qwen3_next", "Qwen3NextDecoderLayer"),
    "qwen3_5": ("qwen3_5", "Qwen3_5DecoderLayer"),
    "qwen3_5_moe": ("qwen3_5_moe", "Qwen3_5MoeDecoderLayer"),
}


@dataclass(frozen=True)
class Count:
    """Parameters: all, of embeddings, of routed experts, of the vision part."""

    total: int
    embedding: int
    expert: int
    vision: int


def read_config(name: str) -> dict[str, Any]:
    """Published config values of a catalogue model."""
    values: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_text())
    return values


def count_parameters(values: dict[str, Any]) -> Count:
    """What transformers counts for these values, without prediction layers."""
    sizes = {name: tensor.numel() for name, tensor in _build(values).named_parameters()}
    vision = {name for name in sizes if _VISION.search(name)}
    embedding = {name for name in sizes if _EMBEDDING.search(name)} - vision
    expert = {name for name in sizes if ".experts." in name and "shared" not in name}
    return Count(sum(sizes.values()), *(sum(sizes[n] for n in part) for part in (embedding, expert, vision)))


def count_prediction(values: dict[str, Any]) -> int:
    """Parameters of one prediction layer as Qwen and NVIDIA build it.

    A decoder layer with full attention, a projection from two hidden states to one, and three norms
    (vllm/model_executor/models/qwen3_next_mtp.py, qwen3_5_mtp.py, nemotron_h_mtp.py).
    """
    config = _config(values)
    text = getattr(config, "text_config", config)
    hidden_size: int = text.hidden_size
    return _layer_size(values, text) + 2 * hidden_size**2 + 3 * hidden_size


def _layer_size(values: dict[str, Any], text: Any) -> int:
    if values["model_type"] == "nemotron_h":
        layers = _build(values).model.layers
        kinds = values["hybrid_override_pattern"]
        return sum(_size(layers[kinds.index(kind)]) for kind in values["mtp_hybrid_override_pattern"])
    module, class_name = _PREDICTION[values["model_type"]]
    code = importlib.import_module(f"transformers.models.{module}.modeling_{module}")
    last_of_four = 3  # the one with full attention
    return _size(_on_meta(lambda: getattr(code, class_name)(text, last_of_four)))


def _size(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _config(values: dict[str, Any]) -> Any:
    from transformers import AutoConfig

    rest = {key: value for key, value in values.items() if key != "model_type"}
    return AutoConfig.for_model(_SAME_AS.get(values["model_type"], values["model_type"]), **rest)


def _build(values: dict[str, Any]) -> Any:
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText

    architecture = values["architectures"][0]
    maker: Any = AutoModelForCausalLM
    if architecture in _ENCODERS:
        maker = AutoModel
    elif architecture.endswith("ForConditionalGeneration"):
        maker = AutoModelForImageTextToText
    return _on_meta(lambda: maker.from_config(_config(values)))


def _on_meta(make: Any) -> Any:
    import torch

    with torch.device("meta"):
        return make()
