"""Whether a LoRA adapter belongs to a model: by the name it was trained on, and by its layers' shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from curc_llm.catalogue.adapter_folder import AdapterFolder
from curc_llm.catalogue.safetensors import read_shapes
from curc_llm.errors import AdapterError, ModelNotFoundError

# As huggingface_hub lays its cache out: models--OWNER--NAME/snapshots/COMMIT.
CACHED = re.compile(r"models--([^/]+?)--([^/]+)/snapshots/")
# vLLM changes these only in models that say so themselves (`embedding_modules`): it judges them.
LEFT_TO_VLLM = {"embed_tokens", "lm_head"}
# The place of a layer in its name, such as 3 in `model.layers.3.self_attn.q_proj`.
PLACE = re.compile(r"\.(\d+)\.")


def list_names(*known: str) -> frozenset[str]:
    """All that a model may be called, in lower case: ids as they are, of paths also the last part.

    Example:
        >>> sorted(list_names("Qwen/Qwen3-8B", "/models/qwen3-8b/"))
        ['/models/qwen3-8b', 'qwen/qwen3-8b', 'qwen3-8b']
    """
    names: set[str] = set()
    for name in filter(None, (one.strip().rstrip("/").lower() for one in known)):
        names |= {name, name.rsplit("/", 1)[-1]}
        if cached := CACHED.search(name):
            names |= {f"{cached[1]}/{cached[2]}", cached[2]}
    return frozenset(names)


def check_base(adapter: AdapterFolder, model: str, names: Iterable[str], folder: Path | None) -> None:
    """Makes sure that an adapter belongs to a model.

    The same name is enough to be looked at; a folder's name elsewhere says nothing, so there the shapes
    decide alone.

    Args:
        adapter: what its folder holds.
        model: what people call the model here.
        names: all that the model is known by; see `list_names`.
        folder: the model's own; None while it isn't here.

    Raises:
        AdapterError: it was trained on another model, or doesn't fit the layers of this one.
    """
    base = list_names(adapter.base)
    is_path = adapter.base.startswith((".", "/", "~"))
    if base and not is_path and not base & {*names}:
        raise AdapterError(
            f"The adapter {adapter.folder} was trained on {adapter.base}, not on {model}.",
            f"Serve {adapter.base} and add it there.",
            code="adapter_wrong_base",
        )
    if folder is not None:
        check_shapes(adapter, model, _read_layers(folder))


def check_shapes(adapter: AdapterFolder, model: str, layers: Mapping[str, tuple[int, ...]]) -> None:
    """Makes sure that each pair of an adapter's matrices fits the layer that it changes.

    Args:
        adapter: what its folder holds.
        model: what people call the model.
        layers: the shapes of the model's tensors by name; nothing is said when there are none.

    Raises:
        AdapterError: a layer isn't there, or is of another size.
    """
    if not layers:
        return
    kinds = {name.rsplit(".", 2)[-2] for name in layers if name.count(".") >= 2} | LEFT_TO_VLLM
    if strange := [name for name in adapter.target_modules if name not in kinds]:
        raise AdapterError(
            f"The adapter {adapter.folder} changes {', '.join(strange)}, which {model} doesn't have.",
            "Train it on this model, or serve the model that it was trained on.",
            code="adapter_wrong_base",
        )
    theirs, own = _count_layers(layers), _count_layers(adapter.shapes)
    if theirs and own > theirs:
        raise AdapterError(
            f"The adapter {adapter.folder} was made for another model than {model}: "
            f"it changes {own} layers, the model has {theirs}.",
            "Train it on this model, or serve the model that it was trained on.",
            code="adapter_wrong_base",
        )
    for tensor, shape in adapter.shapes.items():
        _check_one(adapter, model, tensor, shape, layers)


def _count_layers(tensors: Iterable[str]) -> int:
    """Layers of a model by its tensors' names: one more than the highest place; vLLM skips those it hasn't.

    Example:
        >>> _count_layers(["model.layers.3.self_attn.q_proj.weight", "lm_head.weight"])
        4
    """
    found = (PLACE.search(name) for name in tensors)
    return max((int(place[1]) + 1 for place in found if place), default=0)


def _check_one(
    adapter: AdapterFolder,
    model: str,
    tensor: str,
    shape: tuple[int, ...],
    layers: Mapping[str, tuple[int, ...]],
) -> None:
    """Of lora_A (rank, in) and lora_B (out, rank) the outer side is the layer's own; a layer is (out, in)."""
    name, found, rest = tensor.partition(".lora_")
    if not found or len(shape) != 2 or rest[:2] not in {"A.", "B."}:
        return
    layer = layers.get(name.removeprefix("base_model.model.") + ".weight")
    if layer is None or len(layer) != 2:
        return  # quantised weights are packed, and some families rename their layers: vLLM will tell
    own, theirs = (shape[1], layer[1]) if rest.startswith("A") else (shape[0], layer[0])
    if own != theirs:
        side = "inputs" if rest.startswith("A") else "outputs"
        layer_name = name.removeprefix("base_model.model.")
        raise AdapterError(
            f"The adapter {adapter.folder} was made for another model than {model}: "
            f"its {layer_name} has {own:,} {side}, the model's {theirs:,}.",
            "Train it on this model, or serve the model that it was trained on.",
            code="adapter_wrong_base",
        )


def _read_layers(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of a model's tensors; empty where they can't be read, as of other formats."""
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        for path in sorted(folder.glob("*.safetensors")):
            shapes |= read_shapes(path)
    except (ModelNotFoundError, OSError):
        return {}
    return shapes
