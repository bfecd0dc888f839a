"""Reads the headers of safetensors files: which tensors they hold, in how many bytes. Never the tensors.

Source of the format: https://github.com/huggingface/safetensors#format (8 bytes length, JSON, data).
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curc_llm.errors import ModelNotFoundError

MAX_HEADER_BYTES = 100_000_000  # as in safetensors itself: MAX_HEADER_SIZE
LFS_START = b"version https://git-lfs"
FETCH_AGAIN = "Fetch it again; `hf download` mends what is incomplete."


@dataclass(frozen=True)
class Header:
    """What a safetensors file holds.

    Args:
        data_bytes: bytes of all tensors.
        params: how many numbers there are of each dtype, such as `{"BF16": 8030261248}`.
    """

    data_bytes: int
    params: Mapping[str, int]


def read_header(path: Path) -> Header:
    """What one file holds, read from its header.

    Args:
        path: the file.

    Raises:
        ModelNotFoundError: it is empty, cut short, only a pointer of git-lfs, or no safetensors file.

    Example:
        >>> read_header(Path("model.safetensors")).params
        {'BF16': 8030261248}
    """
    header, size = read_start(path)
    return parse_header(path, header, size)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a file, by the tensor's name; raises as `read_header` does.

    Example:
        >>> read_shapes(Path("adapter_model.safetensors"))["base_model.model.lm_head.lora_A.weight"]
        (16, 4096)
    """
    header, size = read_start(path)
    parse_header(path, header, size)  # raises for what is no header
    tensors = json.loads(header)
    return {name: tuple(one["shape"]) for name, one in tensors.items() if name != "__metadata__"}


def read_start(path: Path) -> tuple[bytes, int]:
    """The header as it is written, and the length of the whole file in bytes."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            _check_start(path, size, start)
            length = struct.unpack("<Q", start)[0]
            _check_length(path, size, length)
            return file.read(length), size
    except OSError as error:
        raise ModelNotFoundError(f"{path} can't be read: {error.strerror}.", FETCH_AGAIN) from error


def parse_header(path: Path, header: bytes, file_bytes: int) -> Header:
    """The header's sums; `file_bytes` is how long the whole file is.

    Raises:
        ModelNotFoundError: it isn't a header, or the file ends before its tensors do.
    """
    try:
        tensors = json.loads(header)
        sizes = [_measure(tensor) for name, tensor in tensors.items() if name != "__metadata__"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _not_safetensors(path) from error
    params: Counter[str] = Counter()
    for dtype, count, _, _ in sizes:
        params[dtype] += count
    end = 8 + len(header) + max((stop for _, _, _, stop in sizes), default=0)
    if end > file_bytes:
        raise ModelNotFoundError(f"{path} is cut short: it has {file_bytes:,} of {end:,} bytes.", FETCH_AGAIN)
    return Header(sum(stop - start for _, _, start, stop in sizes), dict(params))


def _measure(tensor: dict[str, Any]) -> tuple[str, int, int, int]:
    """A tensor's dtype, how many numbers it has, and where its bytes begin and end."""
    count = 1
    for side in tensor["shape"]:
        count *= _whole(side)
    start, stop = (_whole(offset) for offset in tensor["data_offsets"])
    if stop < start:
        raise ValueError("offsets")
    return str(tensor["dtype"]), count, start, stop


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(value)
    return value


def _check_start(path: Path, size: int, start: bytes) -> None:
    if size == 0:
        raise ModelNotFoundError(f"{path} is empty.", FETCH_AGAIN)
    if LFS_START.startswith(start):
        raise ModelNotFoundError(
            f"{path} is only a pointer of git-lfs, not the weights.", "Run `git lfs pull` in its folder."
        )
    if len(start) < 8:
        raise _not_safetensors(path)


def _check_length(path: Path, size: int, length: int) -> None:
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise _not_safetensors(path)
    if length > size - 8:
        raise ModelNotFoundError(f"{path} is cut short: it ends within its header.", FETCH_AGAIN)


def _not_safetensors(path: Path) -> ModelNotFoundError:
    return ModelNotFoundError(f"{path} isn't a safetensors file.", FETCH_AGAIN)
