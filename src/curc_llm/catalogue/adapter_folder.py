"""A LoRA adapter's folder, as PEFT writes it: what is in it, and whether vLLM can serve it.

What vLLM takes: vllm/lora/peft_helper.py (`_validate_features`) and vllm/lora/lora_model.py; the files are
those of https://huggingface.co/docs/peft/developer_guides/checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curc_llm.catalogue.safetensors import read_shapes
from curc_llm.errors import AdapterError, ModelNotFoundError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
TRAIN_AGAIN = "docs/adapters.md says how to train one that can be served."
# What changes the meaning of an adapter and vLLM doesn't do, by PEFT's names.
UNSERVED = {
    "use_dora": "DoRA",
    "lora_bias": "LoRA bias (lora_bias)",
    "alora_invocation_tokens": "activated LoRA (aLoRA)",
    "layer_replication": "layer_replication",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QALoRA",
}
# Ways to begin that leave the base model's weights as they are (peft_helper.py, `_init_is_supported`).
PLAIN_STARTS = {"gaussian", "eva", "orthogonal", "mica", "lora_ga"}
# Of whole layers that were trained along, vLLM takes a classifier's head alone.
SAVED = {"classifier", "score"}


@dataclass(frozen=True)
class AdapterFolder:
    """What an adapter is.

    Args:
        folder: where it is.
        base: what its config calls the model that it was trained on; empty when it says nothing.
        rank: the largest of its ranks.
        target_modules: the layers that it changes, such as `q_proj`.
        shapes: of its tensors, by their names.
    """

    folder: Path
    base: str
    rank: int
    target_modules: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]


def read_adapter(folder: Path) -> AdapterFolder:
    """What an adapter's folder holds.

    Args:
        folder: as PEFT's `save_pretrained` writes it.

    Raises:
        AdapterError: a file is missing or broken, it is no LoRA, or one of a kind that vLLM doesn't serve.
    """
    config = _read_config(folder)
    _check_kind(folder, config)
    try:
        shapes = read_shapes(folder / WEIGHTS)
    except ModelNotFoundError as error:
        raise AdapterError(error.message, "Save or download the adapter again.") from error
    modules = {name: tensor for name, tensor in map(_module_of, shapes) if tensor}
    if not modules:
        message = f"{folder / WEIGHTS} holds no LoRA weights (lora_A, lora_B)."
        raise AdapterError(message, TRAIN_AGAIN)
    targets = tuple(sorted({name.rsplit(".", 1)[-1] for name in modules}))
    base = config.get("base_model_name_or_path")
    known = base if isinstance(base, str) else ""
    return AdapterFolder(folder, known, _rank_of(folder, config), targets, shapes)


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        if not folder.is_dir():
            raise AdapterError(
                f"There is no folder {folder}.", "Check the path; a hub id looks like OWNER/NAME."
            )
        if not (folder / CONFIG).is_file():
            is_model = (folder / "config.json").is_file()
            more = " It is a whole model: serve it as one." if is_model else ""
            raise AdapterError(f"{folder} holds no {CONFIG}, so it is no adapter.{more}", TRAIN_AGAIN)
        if not (folder / WEIGHTS).is_file():
            message = f"{folder} holds no {WEIGHTS}: only this format is loaded, since others can run code."
            raise AdapterError(message, "Save it again with safe_serialization=True, PEFT's default.")
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except OSError as error:
        raise AdapterError(f"{folder} can't be read: {error.strerror}.", "Check its permissions.") from error
    except (ValueError, RecursionError) as error:
        raise AdapterError(
            f"{folder / CONFIG} isn't valid JSON.", "Save or download the adapter again."
        ) from error
    return config if isinstance(config, dict) else {}


def _check_kind(folder: Path, config: dict[str, Any]) -> None:
    """Raises when it is another kind of adapter than vLLM serves."""
    kind = str(config.get("peft_type") or "nothing")
    if kind.upper() != "LORA":
        raise AdapterError(f"{folder} is an adapter of the kind {kind}; vLLM serves LORA alone.", TRAIN_AGAIN)
    unserved = next((what for key, what in UNSERVED.items() if config.get(key)), "")
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower() not in PLAIN_STARTS:
        unserved = f"init_lora_weights={start}, which changes the base model's own weights"
    if config.get("bias", "none") != "none":
        unserved = f"trained biases (bias={config['bias']})"
    kept = config.get("modules_to_save") or ()
    kept = kept if isinstance(kept, list | tuple) else (kept,)
    if saved := sorted({*map(str, kept)} - SAVED):
        unserved = f"whole layers that were trained along (modules_to_save: {', '.join(saved)})"
    if unserved:
        raise AdapterError(f"{folder} needs {unserved}, which vLLM doesn't serve.", TRAIN_AGAIN)


def _rank_of(folder: Path, config: dict[str, Any]) -> int:
    pattern = config.get("rank_pattern")
    ranks = [config.get("r"), *(pattern.values() if isinstance(pattern, dict) else ())]
    whole = [rank for rank in ranks if isinstance(rank, int) and not isinstance(rank, bool) and rank > 0]
    if whole != ranks:
        message = f"{folder / CONFIG} gives the rank as {config.get('r')!r}, not as a whole number."
        raise AdapterError(message, TRAIN_AGAIN)
    return max(whole)


def _module_of(tensor: str) -> tuple[str, str]:
    """A tensor's module and which of the two matrices it is; two empty texts when it is neither.

    Example:
        >>> _module_of("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")
        ('model.layers.0.self_attn.q_proj', 'lora_A')
    """
    name = tensor.removeprefix("base_model.model.")
    for kind in ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B"):
        if f".{kind}" in name:
            return name.partition(f".{kind}")[0], kind
    return "", ""
