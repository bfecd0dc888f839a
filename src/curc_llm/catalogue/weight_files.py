"""Which of a folder's files hold the weights, whether all are there, and how many bytes they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curc_llm.catalogue.config_json import read_config
from curc_llm.catalogue.safetensors import FETCH_AGAIN, read_header
from curc_llm.errors import ModelNotFoundError

INDEX_FILES = ("model.safetensors.index.json", "consolidated.safetensors.index.json")
TORCH_INDEX = "pytorch_model.bin.index.json"
# As transformers and `hf` name the parts of a large model.
NUMBERED = re.compile(r"(?P<start>.+)-(?P<number>\d{3,6})-of-(?P<count>\d{3,6})(?P<end>\.safetensors|\.bin)")
MOST_SHARDS = 10_000  # no model has as many; a name could otherwise make us count for ever
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
    if paths := list_torch(folder):
        size = sum(_size(path) for path in paths)
        note = "Its weights are .bin files, which load slowly and may run code; their size on disk counts."
        return WeightFiles(size, notes=(note,))
    raise ModelNotFoundError(
        f"{folder} holds no weights (*.safetensors).", "Fetch the model whole, not its config.json alone."
    )


def has_weights(folder: Path) -> bool:
    """False when a folder holds nothing of a model but what describes it, such as its config.json alone.

    Raises:
        ModelNotFoundError: it holds some of its weights, but not all; names a missing file.
    """
    return bool(list_safetensors(folder) or list_torch(folder) or next(folder.glob("*.gguf"), None))


def list_safetensors(folder: Path) -> list[Path]:
    """The safetensors files of the model: those of its index, else all; Mistral's copies count once.

    Raises:
        ModelNotFoundError: the index names a file that isn't there.
    """
    for name in INDEX_FILES:
        if (folder / name).is_file():
            return _list_index(folder, name)
    found = sorted(folder.glob("*.safetensors"))
    _check_numbered(folder, found)
    whole = [path for path in found if not path.name.startswith("consolidated")]
    return whole or found


def _check_numbered(folder: Path, found: Sequence[Path]) -> None:
    """Without an index the files' names still say how many there are."""
    names = {path.name for path in found}
    for name in sorted(names):
        match = NUMBERED.fullmatch(name)
        count = int(match["count"]) if match else 0
        if match is None or not 0 < count <= MOST_SHARDS:
            continue
        start, digits, end = match["start"], len(match["number"]), match["end"]
        wanted = (f"{start}-{n:0{digits}}-of-{match['count']}{end}" for n in range(1, count + 1))
        if missing := [part for part in wanted if part not in names]:
            raise _not_whole(folder, missing, count)


def _not_whole(folder: Path, missing: Sequence[str], count: int) -> ModelNotFoundError:
    others = f" and {len(missing) - 1} other files" if len(missing) > 1 else ""
    verb = "are" if len(missing) > 1 else "is"
    return ModelNotFoundError(
        f"{folder} isn't whole: {missing[0]}{others} of {count} shards {verb} missing.", FETCH_AGAIN
    )


def _list_index(folder: Path, name: str) -> list[Path]:
    """The files of an index, all of which must be there."""
    places = read_config(folder / name).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(part, str) for part in places.values()):
        raise ModelNotFoundError(f"{folder / name} holds no weight_map.", FETCH_AGAIN)
    names = sorted(set(places.values()))
    if hostile := [part for part in names if not _is_inside(part)]:
        raise ModelNotFoundError(
            f"{folder / name} names a file outside of its folder: {hostile[0][:100]!r}.",
            "Don't use this copy; fetch the model again from where you trust it.",
        )
    missing = [part for part in names if not _is_file(folder / part)]
    if missing:
        raise _not_whole(folder, missing, len(names))
    return [folder / part for part in names]


def _is_inside(name: str) -> bool:
    """Whether a name of an index stays below its folder; characters that no file has don't."""
    path = Path(name)
    return bool(name) and name.isprintable() and not path.is_absolute() and ".." not in path.parts


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a link that leads to itself, or a name that is too long
        return False


def list_torch(folder: Path) -> list[Path]:
    """The .bin files of the model, which PyTorch wrote.

    Raises:
        ModelNotFoundError: one is missing.
    """
    if (folder / TORCH_INDEX).is_file():
        return _list_index(folder, TORCH_INDEX)
    _check_numbered(folder, sorted(folder.glob("*.bin")))
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
