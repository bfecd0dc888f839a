"""Looks for numbers that are none (NaN, infinity) in a safetensors file, without a library for arrays.

Source of the format: https://github.com/huggingface/safetensors#format (numbers are little-endian).
"""

from __future__ import annotations

import json
from pathlib import Path

from curc_llm.catalogue.safetensors import parse_header, read_start

# Of each dtype the bits of the exponent: in IEEE 754 all of them are set in NaN and infinity alone.
EXPONENTS = {"F16": (2, 0x7C00), "BF16": (2, 0x7F80), "F32": (4, 0x7F800000)}
MOST_BYTES = 256 * 2**20
CHUNK_BYTES = 2**20


def find_not_finite(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """The first tensor that holds a NaN or an infinity; empty when none does.

    Args:
        path: the file.
        most_bytes: of tensors, in the file's order: a larger file isn't looked at further.

    Raises:
        OSError: it can't be read.
        ModelNotFoundError: it isn't a safetensors file, or is cut short.

    Example:
        >>> find_not_finite(Path("adapter_model.safetensors"))
        ''
    """
    header, file_bytes = read_start(path)
    parse_header(path, header, file_bytes)
    tensors = [(name, one) for name, one in json.loads(header).items() if name != "__metadata__"]
    left = most_bytes
    with path.open("rb") as file:
        for name, one in sorted(tensors, key=lambda pair: pair[1]["data_offsets"][0]):
            start, stop = one["data_offsets"]
            stop = min(stop, start + left)
            file.seek(8 + len(header) + start)
            for place in range(start, stop, CHUNK_BYTES):
                if not is_finite(file.read(min(CHUNK_BYTES, stop - place)), one["dtype"]):
                    return str(name)
            left -= stop - start
    return ""


def is_finite(data: bytes, dtype: str) -> bool:
    """Whether all numbers are finite; those of other dtypes than the three that training writes are.

    Args:
        data: numbers, one after the other.
        dtype: as safetensors calls it.

    Example:
        >>> is_finite(bytes.fromhex("803f"), "BF16"), is_finite(bytes.fromhex("c07f"), "BF16")
        (True, False)
    """
    if dtype not in EXPONENTS or not data:
        return True
    width, exponent = EXPONENTS[dtype]
    count = len(data) // width
    mask = _repeat(exponent, width, count)
    unset = mask & ~int.from_bytes(data[: count * width], "little")
    # All numbers at once: adding what is one less than the top bit sets that bit where any bit is set, and
    # nothing is carried over.
    top = 1 << (8 * width - 1)
    tops = _repeat(top, width, count)
    return (unset + _repeat(top - 1, width, count)) & tops == tops


def _repeat(value: int, width: int, count: int) -> int:
    return int.from_bytes(value.to_bytes(width, "little") * count, "little")
