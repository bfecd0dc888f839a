"""The files of an engine's adapters: fetched and looked at before the engine is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curc_llm.catalogue.adapter_base import check_base, list_names
from curc_llm.catalogue.adapter_folder import WEIGHTS, read_adapter
from curc_llm.catalogue.finite import find_not_finite
from curc_llm.engine.arguments import choose_lora_limits
from curc_llm.engine.download import run_download
from curc_llm.errors import AdapterError, CurcLlmError
from curc_llm.session.record import AdapterRecord
from curc_llm.spec import Adapter, EngineSpec
from curc_llm.spec.adapter import LORA_RANKS, check_rank


@dataclass(frozen=True)
class FoundAdapters:
    """Adapters that can be loaded.

    Args:
        engine: with what their files say of them; without those that can't be loaded.
        paths: their folders by name.
        troubles: a sentence for each that can't be loaded.
    """

    engine: EngineSpec
    paths: dict[str, Path] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


async def find_adapters(
    engine: EngineSpec,
    model_folder: Path,
    *,
    hf_home: Path,
    offline: bool,
    tell: Callable[[str], None] = lambda _: None,
) -> FoundAdapters:
    """An engine's adapters, as far as they can be loaded: one that is broken must not keep the model away.

    Args:
        engine: names them.
        model_folder: the folder of its model.
        hf_home: Hugging Face's folder.
        offline: ask nothing of the hub.
        tell: is told how far a download is, in words.
    """
    kept: list[Adapter] = []
    paths: dict[str, Path] = {}
    troubles: list[str] = []
    for adapter in engine.adapters:
        try:
            folder = await fetch_adapter(adapter, hf_home=hf_home, offline=offline, tell=tell)
            looked = look_at(adapter, folder, engine, model_folder)
            check_rank(looked, engine.max_lora_rank or LORA_RANKS[-1])
        except CurcLlmError as error:
            troubles.append(f"The adapter {adapter.name} of {engine.served_model_name} isn't there: {error}")
        else:
            kept.append(looked)
            paths[adapter.name] = folder
    # Without any of them LoRA stays on, so that one that is mended can be added while the engine runs.
    limits = {"adapters": tuple(kept), "max_loras": engine.max_loras or (None if kept else 1)}
    return FoundAdapters(engine.model_copy(update=limits), paths, tuple(troubles))


def make_adapter_fields(engine: EngineSpec) -> dict[str, Any]:
    """What an engine's record says of its adapters.

    Args:
        engine: as it was started.

    Example:
        >>> make_adapter_fields(EngineSpec(served_model_name="m", model="/m", is_local=True))["max_loras"]
        0
    """
    shown = ("name", "source", "rank", "target_modules")
    told = tuple(AdapterRecord(**{name: getattr(one, name) for name in shown}) for one in engine.adapters)
    limits = choose_lora_limits(engine) if engine.has_lora else {"max_loras": 0, "max_lora_rank": 0}
    return {"adapters": told, **limits}


async def fetch_adapter(
    adapter: Adapter, *, hf_home: Path, offline: bool, tell: Callable[[str], None] = lambda _: None
) -> Path:
    """An adapter's folder, downloaded first when it comes from the hub.

    Args:
        adapter: which one.
        hf_home: Hugging Face's folder.
        offline: ask nothing of the hub.
        tell: is told how far it is, in words.

    Raises:
        ModelDownloadError: it can't be had.
        AdapterError: its weights are no numbers.
    """
    if adapter.is_local:
        await asyncio.to_thread(check_numbers, Path(adapter.source))
        return Path(adapter.source)
    path: Path | None = None
    async for step in run_download(
        adapter.source, adapter.revision, hf_home=hf_home, offline=offline, is_adapter=True
    ):
        tell(f"adapter {adapter.name}: {step.done_gib:.2f} of {step.total_gib:.2f} GiB")
        path = step.path or path
    if path is None:
        raise AdapterError(f"{adapter.source} could not be downloaded.", "Try again.")
    await asyncio.to_thread(check_numbers, path)
    return path


def check_numbers(folder: Path) -> None:
    """Refuses weights that would answer nonsense; what else is wrong with the files is `look_at`'s to say.

    Args:
        folder: the adapter's; of its weights the first 256 MiB are read.

    Raises:
        AdapterError: a weight is NaN or infinite.
    """
    path = folder / WEIGHTS
    try:
        name = find_not_finite(path) if path.is_file() else ""
    except (OSError, CurcLlmError):
        return
    if name:
        message = f"{path} holds numbers that are none (NaN or infinity), first in {name}."
        raise AdapterError(
            f"{message} The training has failed.", "Train it again with a lower learning rate."
        )


def look_at(
    adapter: Adapter, folder: Path, engine: EngineSpec, model_folder: Path | None, *known: str
) -> Adapter:
    """The adapter with what its files say, once it is sure that it belongs to the engine's model.

    Args:
        adapter: which one.
        folder: its folder.
        engine: what is to serve it.
        model_folder: the folder of the engine's model; None where it isn't known.
        known: what else the engine's model is called.

    Raises:
        AdapterError: it is broken, or of another model.
    """
    found = read_adapter(folder)
    names = list_names(engine.model, engine.served_model_name, *engine.known_as, *known)
    check_base(found, engine.served_model_name, names, model_folder)
    told = {"base": found.base, "rank": found.rank, "target_modules": found.target_modules}
    return adapter.model_copy(update=told)
