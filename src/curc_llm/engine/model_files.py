"""Which of a model's files on the hub vLLM needs. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping

# Never read by vLLM: other frameworks' copies of the weights, what training left, pictures.
OTHER_FRAMEWORKS = (
    *(
        "*.gguf",
        "*.onnx",
        "*.onnx_data",
        "*.msgpack",
        "*.h5",
        "*.ot",
        "*.tflite",
        "*.mlmodel",
        "*.pb",
        "*.ckpt",
    ),
    *("*.npz", "*.nemo", "original/*", "metal/*", "onnx/*", "openvino/*", "coreml/*", "tf_model/*"),
)
LEFTOVERS = (
    *("runs/*", "checkpoint-*/*", "training_args.bin", "optimizer.*", "scheduler.*", "rng_state*.pth"),
    *("*.zip", "*.tar.gz", "*.md", ".git*", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp", "*.svg", "*.pdf"),
    *("*.mp4", "*.ipynb"),
)
TORCH_WEIGHTS = ("*.bin", "*.pt", "*.pth")
# Mistral puts all weights a second time into these.
CONSOLIDATED = "consolidated*.safetensors"


def choose_files(sizes: Mapping[str, int]) -> dict[str, int]:
    """The files that vLLM needs, with their sizes in bytes.

    Of weights that are there twice, safetensors win: they load faster and run no code.

    Args:
        sizes: every file of the repository with its size in bytes.

    Example:
        >>> choose_files({"config.json": 1, "model.safetensors": 9, "pytorch_model.bin": 9, "README.md": 2})
        {'config.json': 1, 'model.safetensors': 9}
    """
    wanted = {path: size for path, size in sizes.items() if not _fits(path, OTHER_FRAMEWORKS + LEFTOVERS)}
    safetensors = _matching(wanted, ["*.safetensors"])
    whole = [path for path in safetensors if not _fits(path, [CONSOLIDATED])]
    dropped = [*TORCH_WEIGHTS] if safetensors else []
    if whole and "config.json" in wanted:
        dropped.append(CONSOLIDATED)
    return {path: size for path, size in wanted.items() if not _fits(path, dropped)}


# All that vLLM reads of a LoRA adapter; what else is there are the trainer's leftovers.
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def choose_adapter_files(sizes: Mapping[str, int]) -> dict[str, int]:
    """The files of a LoRA adapter that vLLM needs, with their sizes in bytes.

    Example:
        >>> choose_adapter_files({"adapter_config.json": 1, "optimizer.pt": 99})
        {'adapter_config.json': 1}
    """
    return {path: size for path, size in sizes.items() if path in ADAPTER_FILES}


def has_config(paths: Iterable[str]) -> bool:
    """True when a repository holds what makes it a model: `config.json`, or Mistral's `params.json`."""
    return bool({"config.json", "params.json"} & set(paths))


def has_weights(paths: Iterable[str]) -> bool:
    """True when a repository holds weights in a form that vLLM loads by itself."""
    return bool(_matching(paths, ["*.safetensors", *TORCH_WEIGHTS]))


def _matching(paths: Iterable[str], patterns: Iterable[str]) -> list[str]:
    return [path for path in paths if _fits(path, patterns)]


def _fits(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
