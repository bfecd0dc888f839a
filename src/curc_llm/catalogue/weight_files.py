"""Which of a folder's files hold the weights, whether all are there, and how many bytes they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curc_llm.catalogue.config_json import read_config
from curc_llm.catalogue.safetensors import FETCH_AGAIN, read_header
from curc_llm.errors import ModelNotFoundError

INDEX_FILES = ("model.safetensors.index.json", "consolidated.safetensors.index.json")
TORCH_INDEX = "pytorch_model.bin.index.json"
# What training leaves beside the weights.
NOT_WEIGHTS = {"training_args.bin", "optimizer.bin", "scheduler.bin", "optimizer.pt", "scheduler.pt"}


@dataclass(frozen=True)
class WeightFiles:
    """A folder's weights.

    Args:
        weight_bytes: bytes of all tensors.
        params: how many numbers of each dtype; empty where only sizes of files are known.
        notes: what a person should know, in sentences.
    """

    weight_bytes: int
    params: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_weights(folder: Path) -> WeightFiles:
    """The weights that vLLM would load from a folder.

    Raises:
        ModelNotFoundError: there are none, or a file is missing or not whole; names it.
    """
    if paths := list_safetensors(folder):
        headers = [read_header(path) for path in paths]
        params: Counter[str] = Counter()
        for header in headers:
            params.update(header.params)
        return WeightFiles(sum(header.data_bytes for header in headers), dict(params))
    if paths := _list_torch(folder):
        size = sum(_size(path) for path in paths)
        note = "Its weights are .bin files, which load slowly and may run code; their size on disk counts."
        return WeightFiles(size, notes=(note,))
    raise ModelNotFoundError(
        f"{folder} holds no weights (*.safetensors).", "Fetch the model whole, not its config.json alone."
    )


def list_safetensors(folder: Path) -> list[Path]:
    """The safetensors files of the model: those of its index, else all; Mistral's copies count once.

    Raises:
        ModelNotFoundError: the index names a file that isn't there.
    """
    for name in INDEX_FILES:
        if (folder / name).is_file():
            return _list_index(folder, name)
    found = sorted(folder.glob("*.safetensors"))
    whole = [path for path in found if not path.name.startswith("consolidated")]
    return whole or found


def _list_index(folder: Path, name: str) -> list[Path]:
    """The files of an index, all of which must be there."""
    places = read_config(folder / name).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(part, str) for part in places.values()):
        raise ModelNotFoundError(f"{folder / name} holds no weight_map.", FETCH_AGAIN)
    names = sorted(set(places.values()))
    if hostile := [part for part in names if Path(part).is_absolute() or ".." in Path(part).parts]:
        raise ModelNotFoundError(f"{folder / name} names a file outside of its folder: {hostile[0]}.", "")
    missing = [part for part in names if not (folder / part).is_file()]
    if missing:
        others = f" and {len(missing) - 1} other files" if len(missing) > 1 else ""
        raise ModelNotFoundError(
            f"{folder} isn't whole: {missing[0]}{others} of {len(names)} shards is missing.", FETCH_AGAIN
        )
    return [folder / part for part in names]


def _list_torch(folder: Path) -> list[Path]:
    if (folder / TORCH_INDEX).is_file():
        return _list_index(folder, TORCH_INDEX)
    found = sorted(folder.glob("*.bin")) + sorted(folder.glob("*.pt")) + sorted(folder.glob("*.pth"))
    return [path for path in found if path.name not in NOT_WEIGHTS]


def _size(path: Path) -> int:
    size = path.stat().st_size
    if size == 0:
        raise ModelNotFoundError(f"{path} is empty.", FETCH_AGAIN)
    if size < 1024 and path.read_bytes().startswith(b"version https://git-lfs"):
        raise ModelNotFoundError(
            f"{path} is only a pointer of git-lfs, not the weights.", "Run `git lfs pull` in its folder."
        )
    return size
