"""Whether a model takes images, by its own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curc_llm.catalogue.context import load_json

# What configurations call the part that sees: nearly all `vision_config`; Mistral's params.json
# `vision_encoder`; Qwen-VL `visual`; Phi-3-vision `img_processor`; LLaVA's own files `mm_vision_tower`;
# Chameleon `vq_config`.
KEYS = ("vision_config", "vision_encoder", "visual", "img_processor", "mm_vision_tower", "vq_config")
WITHOUT_KEY = frozenset({"fuyu", "molmo", "chameleon"})


def read_takes_images(model_dir: Path) -> bool | None:
    """Whether images may go in; None when the model's files don't say.

    Args:
        model_dir: folder with `config.json` (or Mistral's `params.json`).

    Example:
        >>> read_takes_images(Path("/no/such/model")) is None
        True
    """
    return find_takes_images(load_json(model_dir / "config.json") or load_json(model_dir / "params.json"))


def find_takes_images(config: Mapping[str, Any]) -> bool | None:
    """The same of a configuration; None for an empty one, and for a model with code of its own and no word.

    Example:
        >>> find_takes_images({"model_type": "llama"}), find_takes_images({"vision_config": {"depth": 32}})
        (False, True)
    """
    if not config:
        return None
    thinker = config.get("thinker_config")  # Qwen's omni models
    whole = thinker if isinstance(thinker, dict) else config
    if any(whole.get(key) for key in KEYS) or config.get("model_type") in WITHOUT_KEY:
        return True
    return None if config.get("auto_map") else False
