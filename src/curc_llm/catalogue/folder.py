"""From a folder with a model to the model: numbers of its config.json, bytes of its weights' headers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from curc_llm.catalogue.config_json import model_from_config, read_config
from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.context import read_context_limit
from curc_llm.catalogue.model import Model
from curc_llm.catalogue.weight_files import WeightFiles, find_weights, has_weights
from curc_llm.errors import ModelNotFoundError

MAX_PATH = 200  # of a path within an error
UNQUANTISED = {"fp32", "bf16", "fp16"}
# How huggingface_hub names folders of its cache (file_download.py: repo_folder_name).
CACHED = re.compile(r"models--(.+?)--(.+)")
# Files' and config.json's counts may differ by what config.json doesn't tell, such as prediction layers.
MAX_DIFFERENCE = 0.1
# Beyond this factor the files aren't the model that config.json describes.
MOST_WRONG = 2
CONFIGS = ("config.json", "params.json")


def read_folder(folder: Path) -> Model:
    """The model in a folder; the bytes of weights that are there are exact.

    Args:
        folder: with `config.json` (or Mistral's `params.json`), and weights. Without any weights the
            parameters are an estimate.

    Raises:
        ModelNotFoundError: it holds no model, or one that isn't whole; names the file that is at fault.

    Example:
        >>> read_folder(Path("/projects/me/Qwen3-8B")).weights[0].weight_bytes
        16381470720
    """
    folder = find_snapshot(folder)
    config = _read_configs(folder)
    model = model_from_config(config, title=_name(folder), hub_id=_hub_id(folder))
    model = model.model_copy(update=_describe(model, folder))
    return _weigh(model, find_weights(folder), config) if has_weights(folder) else model


def _describe(model: Model, folder: Path) -> dict[str, Any]:
    """What other files of the folder than the weights say."""
    is_embedding = (folder / "modules.json").is_file()  # as sentence-transformers writes them
    is_alone = not (folder / "tokenizer_config.json").is_file() and not has_weights(folder)
    return {
        "uses": ("embeddings",) if is_embedding else model.uses,
        "max_context_tokens": min(model.max_context_tokens, read_context_limit(folder) or 10**9),
        # A config.json alone says nothing of templates.
        "has_chat_template": is_alone or has_chat_template(folder),
        "folder": str(folder),
    }


def _weigh(model: Model, files: WeightFiles, config: dict[str, Any]) -> Model:
    """The model with its files' exact numbers."""
    exact = _count_exactly(model, files)
    if exact is not None and _is_partial(exact, model, config):
        # Less than what config.json describes can't be served: the whole model is planned.
        warning = _warn_partial(exact, model)
        return model.model_copy(update={"assumed": (warning, *model.assumed, *files.notes)})
    weights = model.weights[0].model_copy(update={"weight_bytes": files.weight_bytes})
    return model.model_copy(
        update={
            "weights": (weights,),
            "architecture": model.architecture.model_copy(update=_new_counts(model, exact)),
            "is_estimate": False,
            "assumed": (*model.assumed, *files.notes, *_explain_difference(model, exact)),
        }
    )


def _is_partial(exact: int, model: Model, config: dict[str, Any]) -> bool:
    """Whether the files hold far fewer parameters than config.json describes; only where we can tell."""
    return Keys(config).is_known and exact * MOST_WRONG < model.architecture.total_params


def _warn_partial(exact: int, model: Model) -> str:
    held, told = _count(exact), _count(model.architecture.total_params)
    return (
        f"Its files hold only {held} of the {told} parameters that its config.json describes: files are "
        "missing, or the config.json is another model's. vLLM is likely to refuse it; what is planned here "
        "is the model that config.json describes."
    )


def _count(params: int) -> str:
    """Parameters in words.

    Example:
        >>> _count(8_030_261_248), _count(160_000_000), _count(512)
        ('8.03 billion', '160.0 million', '512')
    """
    if params >= 1e9:
        return f"{params / 1e9:.2f} billion"
    return f"{params / 1e6:.1f} million" if params >= 1e6 else f"{params:,}"


def find_snapshot(folder: Path) -> Path:
    """The folder itself (or that of a config.json); of a model in Hugging Face's cache the newest snapshot.

    Raises:
        ModelNotFoundError: there is no such folder.
    """
    folder = folder.parent if is_config(folder) else folder
    if not is_folder(folder):
        kind = "is a file, not a folder" if _is_there(folder) else "doesn't exist"
        short = str(folder) if len(str(folder)) < MAX_PATH else f"{str(folder)[:MAX_PATH]}…"
        raise ModelNotFoundError(f"The folder {short} {kind}.", "Name the folder that holds config.json.")
    snapshots = [path for path in (folder / "snapshots").glob("*") if path.is_dir()]
    if snapshots and not (folder / "config.json").exists():
        return max(snapshots, key=lambda path: path.stat().st_mtime)
    return folder


def _is_there(path: Path) -> bool:
    """True for whatever stands there, a device such as /dev/zero too."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """True when there is such a folder; False for texts that can't be paths, too."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """True when there is such a file; False for texts that can't be paths, too."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_config(path: Path) -> bool:
    """True for a model's config.json, which may be named instead of its folder."""
    return path.name in CONFIGS and is_file(path)


def has_chat_template(folder: Path) -> bool:
    """True when the folder says how messages become a prompt; without that only completions make sense."""
    names = ("chat_template.jinja", "chat_template.json", "tekken.json")
    if any((folder / name).is_file() for name in names):
        return True
    path = folder / "tokenizer_config.json"
    try:
        return bool(read_config(path).get("chat_template")) if path.is_file() else False
    except ModelNotFoundError:
        return False


def _read_configs(folder: Path) -> dict[str, Any]:
    """config.json, with what other files of the folder add to it."""
    found = next((n for n in CONFIGS if (folder / n).is_file()), "")
    if not found:
        raise _not_a_model(folder)
    config = read_config(folder / found)
    if (folder / "hf_quant_config.json").is_file():  # ModelOpt before 2025 told it there alone
        config = {**read_config(folder / "hf_quant_config.json"), **config}
    return config


def _not_a_model(folder: Path) -> ModelNotFoundError:
    """Why a folder without config.json isn't a model."""
    if (folder / "adapter_config.json").is_file():
        base = read_config(folder / "adapter_config.json").get("base_model_name_or_path") or "its base model"
        return ModelNotFoundError(
            f"{folder} holds an adapter (LoRA) for {str(base)[:100]}, not a model.",
            "Merge it into its base model first (peft: merge_and_unload), and name the merged folder.",
        )
    if next(folder.glob("*.gguf"), None):
        return ModelNotFoundError(
            f"{folder} holds its weights as GGUF, which sessions don't serve.",
            "Use the model that it was made from.",
        )
    inner = next((path.parent for path in sorted(folder.glob("*/config.json"))), None)
    hint = f"Did you mean {inner}?" if inner else "Name the folder that holds config.json and the weights."
    return ModelNotFoundError(f"{folder} holds no config.json, so it isn't a model.", hint)


def _name(folder: Path) -> str:
    return _hub_id(folder) or folder.resolve().name


def _hub_id(folder: Path) -> str:
    """The Hugging Face id of a snapshot in the cache, else empty."""
    match = CACHED.fullmatch(folder.parent.parent.name)
    return f"{match[1]}/{match[2]}" if match and folder.parent.name == "snapshots" else ""


def _count_exactly(model: Model, files: WeightFiles) -> int | None:
    """Parameters by the files' headers; None where quantisation packs several into one number."""
    if model.weights[0].format not in UNQUANTISED or not files.params:
        return None
    return sum(files.params.values())


def _new_counts(model: Model, exact: int | None) -> dict[str, Any]:
    """Counts that the files correct."""
    if exact is None:
        return {}
    architecture = model.architecture
    active = architecture.active_params
    return {"total_params": exact, "active_params": min(active, exact) if active else None}


def _explain_difference(model: Model, exact: int | None) -> list[str]:
    stated = model.architecture.total_params
    if exact is None or abs(exact - stated) <= MAX_DIFFERENCE * exact:
        return []
    held, told = _count(exact), _count(stated)
    return [f"Its files hold {held} parameters, its config.json describes {told}; the files count."]
