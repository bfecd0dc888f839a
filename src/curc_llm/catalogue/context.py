"""How long a context a model can have, by its own files and vLLM's rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curc_llm.catalogue.config_keys import find_text_config

# The keys that vLLM looks at (0.32, transformers_utils/model_arch_config_convertor.py); the smallest counts.
LENGTH_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
# With these kinds of RoPE scaling the file's length is already the scaled one (vllm 0.32, config/model.py).
ALREADY_SCALED = {"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"}
SENTENCE_CONFIG = "sentence_bert_config.json"


def read_context_limit(model_dir: Path) -> int | None:
    """The longest context in tokens that a model allows, by vLLM's own rules; None when it doesn't say.

    Args:
        model_dir: folder with `config.json` (or Mistral's `params.json`).

    Example:
        >>> read_context_limit(Path("/no/such/model")) is None
        True
    """
    sentence = load_json(model_dir / SENTENCE_CONFIG).get("max_seq_length")
    if sentence is not None and is_length(sentence):
        return int(sentence)
    config = load_json(model_dir / "config.json") or load_json(model_dir / "params.json")
    return derive_context_limit(config)


def derive_context_limit(config: Mapping[str, Any]) -> int | None:
    """The longest context in tokens that a configuration allows; None when it holds none of the keys."""
    text = find_text_config(config)
    lengths = [text[key] for key in LENGTH_KEYS if is_length(text.get(key))]
    if not lengths:
        return None
    limit = text["model_max_length"] if is_length(text.get("model_max_length")) else min(lengths)
    return int(limit * _rope_factor(text))


def load_json(path: Path) -> dict[str, Any]:
    """A file that holds a JSON object; empty when it holds none, or isn't there."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def is_length(value: object) -> bool:
    """True for a finite number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _rope_factor(text: Mapping[str, Any]) -> float:
    # Gemma 3 states its length already scaled, though its kind of scaling says otherwise (vllm 0.32).
    if "gemma3" in str(text.get("model_type", "")):
        return 1.0
    factor = 1.0
    for rope in rope_entries(text):
        kind = rope.get("rope_type") or rope.get("type") or "default"
        if kind not in ALREADY_SCALED and is_length(rope.get("factor")):
            factor = rope["factor"]
    return factor


def rope_entries(text: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The RoPE settings: one for the whole model, or one for each kind of layer."""
    found = text.get("rope_parameters") or text.get("rope_scaling")
    if not isinstance(found, dict):
        return []
    nested = [value for value in found.values() if isinstance(value, dict)]
    return nested or [found]
