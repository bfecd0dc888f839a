from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.catalogue.safetensors import Header, parse_header, read_header
from curc_llm.errors import ModelNotFoundError
from tests.catalogue.conftest import make_safetensors

TENSORS = {"a": ("BF16", [4, 8], 2), "b": ("F32", [3], 4), "c": ("BF16", [], 2)}


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def fail(path: Path) -> str:
    with pytest.raises(ModelNotFoundError) as caught:
        read_header(path)
    return str(caught.value)


def test_bytes_and_numbers_are_added_up_by_dtype(tmp_path: Path) -> None:
    header = read_header(write(tmp_path / "m.safetensors", make_safetensors(TENSORS)))
    assert header == Header(4 * 8 * 2 + 3 * 4 + 2, {"BF16": 33, "F32": 3})


def test_the_real_library_writes_what_we_read(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    writer = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "m.safetensors"
    writer.save_file({"x": numpy.zeros((5, 7), numpy.float16), "y": numpy.zeros(3, numpy.int8)}, path)
    assert read_header(path) == Header(73, {"F16": 35, "I8": 3})


def test_the_bundled_model_has_as_many_bytes_as_its_file_less_the_header() -> None:
    path = Path(__file__).parents[2] / "src/curc_llm/data/demo_model/model.safetensors"
    length = struct.unpack("<Q", path.read_bytes()[:8])[0]
    assert read_header(path).data_bytes == path.stat().st_size - 8 - length


def test_a_file_that_is_cut_short_says_how_much_is_missing(tmp_path: Path) -> None:
    data = make_safetensors(TENSORS)
    text = fail(write(tmp_path / "m.safetensors", data[:-10]))
    assert f"is cut short: it has {len(data) - 10} of {len(data)} bytes" in text
    assert "Fetch it again" in text
    assert "ends within its header" in fail(write(tmp_path / "h.safetensors", data[:40]))


def test_an_empty_file_and_a_pointer_are_told(tmp_path: Path) -> None:
    assert "is empty" in fail(write(tmp_path / "m.safetensors", b""))
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n"
    text = fail(write(tmp_path / "p.safetensors", pointer))
    assert "pointer of git-lfs" in text
    assert "git lfs pull" in text


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "can't be read" in fail(tmp_path / "none.safetensors")


def with_header(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(100)


HOSTILE = [
    b"abc",
    with_header(b"{}", 2**63),
    with_header(b"{}", 100_000_001),
    with_header(b"{}", 0),
    with_header(b"not json at all"),
    with_header(b"[1, 2]"),
    with_header(b"[" * 90_000),
    with_header(json.dumps({"a": 1}).encode()),
    with_header(json.dumps({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}).encode()),
    with_header(json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}).encode()),
    with_header(json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}).encode()),
    with_header(json.dumps({"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}}).encode()),
    with_header(json.dumps({"a": {"dtype": "F32", "shape": "x", "data_offsets": [0, 4]}}).encode()),
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_files_are_told_from_models(tmp_path: Path, data: bytes) -> None:
    assert "safetensors" in fail(write(tmp_path / "m.safetensors", data))


def test_a_header_may_promise_more_than_the_file_has(tmp_path: Path) -> None:
    huge = json.dumps({"a": {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 2**62]}}).encode()
    assert "is cut short" in fail(write(tmp_path / "m.safetensors", with_header(huge)))


@given(st.binary(max_size=300))
def test_any_bytes_are_either_a_header_or_told(data: bytes) -> None:
    try:
        assert parse_header(Path("m.safetensors"), data, 10_000).data_bytes >= 0
    except ModelNotFoundError as error:
        assert "m.safetensors" in error.message  # noqa: PT017 - either is right
