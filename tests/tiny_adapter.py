"""A LoRA adapter of a few KB for the bundled model, made on the spot: random, so its answers are nonsense."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

from curc_llm.spec import DEMO_MODEL_DIR


def write_adapter(
    folder: Path,
    *,
    rank: int = 4,
    hidden: int | None = None,
    num_layers: int | None = None,
    seed: int = 1,
    **config: Any,
) -> Path:
    """Writes an adapter as PEFT does: one that changes every layer's q_proj and v_proj.

    Args:
        folder: where to; made.
        rank: of its matrices.
        hidden: inputs of the layers; the bundled model's when not given.
        num_layers: that it changes; the bundled model's when not given.
        seed: of the random numbers.
        config: more fields of adapter_config.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = json.loads((DEMO_MODEL_DIR / "config.json").read_text())
    inputs = hidden or shape["hidden_size"]
    outputs = {
        "q_proj": shape["num_attention_heads"] * shape["head_dim"],
        "v_proj": shape["num_key_value_heads"] * shape["head_dim"],
    }
    tensors = {}
    for layer in range(num_layers or shape["num_hidden_layers"]):
        for name, out in outputs.items():
            stem = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{stem}.lora_A.weight"] = (rank, inputs)
            tensors[f"{stem}.lora_B.weight"] = (out, rank)
    write_safetensors(folder / "adapter_model.safetensors", tensors, seed)
    told = {
        "peft_type": "LORA",
        "base_model_name_or_path": "curc-guide",
        "r": rank,
        "lora_alpha": 2 * rank,
        "bias": "none",
        "target_modules": ["q_proj", "v_proj"],
        "task_type": "CAUSAL_LM",
    }
    (folder / "adapter_config.json").write_text(json.dumps(told | config))
    return folder


def write_safetensors(path: Path, shapes: dict[str, tuple[int, int]], seed: int = 1) -> None:
    """Writes random numbers (float16, deviation 0.3) in these shapes."""
    numbers = random.Random(seed)
    header: dict[str, Any] = {}
    data = bytearray()
    for name, (rows, columns) in shapes.items():
        start = len(data)
        values = (numbers.gauss(0, 0.3) for _ in range(rows * columns))
        data += struct.pack(f"<{rows * columns}e", *values)
        header[name] = {"dtype": "F16", "shape": [rows, columns], "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))
