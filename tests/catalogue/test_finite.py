"""Numbers that are none are found in every dtype that training writes, and nothing else is taken for one."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from curc_llm.catalogue.finite import find_not_finite, is_finite
from curc_llm.errors import ModelNotFoundError
from tests.tiny_adapter import write_safetensors

NUMBERS = random.Random(1)


@pytest.mark.parametrize(
    ("dtype", "letter", "exponent"), [("F16", "H", 0x7C00), ("BF16", "H", 0x7F80), ("F32", "I", 0x7F800000)]
)
def test_a_number_is_none_where_all_bits_of_its_exponent_are_set(
    dtype: str, letter: str, exponent: int
) -> None:
    bits = 8 * struct.calcsize(letter)
    for count in (1, 2, 7) * 200:
        values = [NUMBERS.getrandbits(bits) | NUMBERS.choice((0, 0, exponent)) for _ in range(count)]
        expected = all(value & exponent != exponent for value in values)
        assert is_finite(struct.pack(f"<{count}{letter}", *values), dtype) is expected


def test_the_tensor_is_named_and_only_so_much_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_safetensors(path, {"a": (4, 4), "b": (4, 4)})
    assert find_not_finite(path) == ""
    path.write_bytes(path.read_bytes()[:-2] + bytes.fromhex("00fc"))  # minus infinity
    assert find_not_finite(path) == "b"
    assert find_not_finite(path, most_bytes=48) == ""


@pytest.mark.parametrize(
    "header",
    ['{"a":{"dtype":"F16","shape":[2],"data_offsets":[]}}', "[" * 5000, '{"a":7}'],
    ids=["no offsets", "deep", "a number"],
)
def test_a_file_that_is_none_is_told_as_such(tmp_path: Path, header: str) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(8))
    with pytest.raises(ModelNotFoundError):
        find_not_finite(path)
