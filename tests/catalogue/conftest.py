from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.catalogue.load import load_catalogue
from curc_llm.catalogue.model import Catalogue

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
# 2 x (4 x 64 x (64 + 32 + 32 + 64) / 4 + 3 x 64 x 128 + 128) + 2 x 100 x 64 + 64
LLAMA_PARAMS = 2 * (64 * (64 + 32 + 32 + 64) + 3 * 64 * 128 + 2 * 64) + 2 * 100 * 64 + 64


def make_safetensors(tensors: dict[str, tuple[str, list[int], int]], metadata: bool = True) -> bytes:
    """A safetensors file: for each tensor dtype, shape and bytes per number."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}} if metadata else {}
    offset = 0
    for name, (dtype, shape, width) in tensors.items():
        size = width
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(offset)


@pytest.fixture(scope="session")
def shipped() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder with a model that is whole unless told otherwise."""

    def make(name: str = "model", config: dict[str, Any] | None = None, **files: bytes) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(LLAMA if config is None else config))
        weights = {"model.safetensors": make_safetensors({"w": ("BF16", [LLAMA_PARAMS], 2)})}
        for path, data in (files or weights).items():
            (folder / path).write_bytes(data)
        return folder

    return make
