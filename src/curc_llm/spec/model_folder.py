"""A model's folder: whether a name points to one, and whether it can be served."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from curc_llm.errors import ModelNotFoundError

DEMO_MODEL_DIR = Path(__file__).parents[1] / "data" / "demo_model"
# owner/name as the hub allows it: letters, digits, . _ - (huggingface_hub.utils.validate_repo_id).
HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$")
WEIGHT_ENDINGS = (".safetensors", ".bin", ".gguf", ".pt")


def is_hub_id(model: str) -> bool:
    """Whether a name is written as Hugging Face ids are.

    Example:
        >>> is_hub_id("Qwen/Qwen3-0.6B"), is_hub_id("./Qwen")
        (True, False)
    """
    return HUB_ID.fullmatch(model) is not None


def fingerprint_folder(folder: Path) -> str:
    """A short name for what a model's folder holds: it changes when config.json or a weight file's size does.

    Reading all weights would take minutes: only their names and sizes count. Empty when it can't be read.
    """
    try:
        digest = hashlib.sha256((folder / "config.json").read_bytes())
        weights = sorted(p for p in folder.iterdir() if p.name.endswith(WEIGHT_ENDINGS))
        for path in weights:
            digest.update(f"\n{path.name} {path.stat().st_size}".encode())
    except OSError:
        return ""
    return digest.hexdigest()[:16]


def find_downloaded(
    hf_home: Path, hub_id: str, revision: str | None = None, *, holding: str = "config.json"
) -> Path | None:
    """The folder of a downloaded model; None when there is none.

    Args:
        hf_home: Hugging Face's folder.
        hub_id: the model.
        revision: a commit; None for the one that the main branch stood for at the last download.
        holding: a file without which it isn't there.
    """
    if not is_hub_id(hub_id):
        return None
    # As huggingface_hub lays it out (file_download.py: repo_folder_name, refs, snapshots).
    cache = hf_home / "hub" / f"models--{hub_id.replace('/', '--')}"
    try:
        commit = revision or (cache / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    folder = cache / "snapshots" / commit
    return folder if (folder / holding).is_file() else None


def find_model_folder(model: str) -> Path | None:
    """The folder that a model name points to; None for a Hugging Face id."""
    path = Path(model).expanduser()
    looks_like_path = model.startswith(("/", "./", "../", "~")) or model in {".", ".."}
    if looks_like_path or _holds_config(path):
        return _checked_folder(path)
    if not is_hub_id(model):
        raise ModelNotFoundError(
            f"{model!r} is not a model of your settings, a folder, or a Hugging Face id.",
            "Hugging Face ids look like Qwen/Qwen3-0.6B; folders start with / or ./",
        )
    return None


def _holds_config(path: Path) -> bool:
    try:
        return (path / "config.json").is_file()
    except (OSError, ValueError):  # too long, or characters that no path has
        return False


def _checked_folder(path: Path) -> Path:
    """The folder, once it is sure that it can be entered and holds a model's config.json."""
    try:
        names = {entry.name for entry in path.iterdir()}
        if "config.json" in names:
            json.loads((path / "config.json").read_text(encoding="utf-8"))
            return path.resolve()
    except FileNotFoundError as error:
        remedy = "Check the path, or give a Hugging Face id such as Qwen/Qwen3-0.6B."
        raise ModelNotFoundError(f"There is no folder {path}.", remedy) from error
    except OSError as error:
        message = f"The model folder {path} can't be read: {error.strerror}."
        raise ModelNotFoundError(message, "Check its permissions.") from error
    except ValueError as error:
        message = f"{path}/config.json isn't valid JSON, so it isn't a model."
        raise ModelNotFoundError(message, "Copy or download the model again.") from error
    raise ModelNotFoundError(
        f"{path} holds no config.json: it is no model.", "Name the folder that holds it."
    )
