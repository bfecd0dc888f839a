"""Replicas: engines of one session that serve the same model with the same settings under the same name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from curc_llm.errors import SpecError
from curc_llm.spec.engine import EngineSpec


def make_replicas(
    engines: Sequence[EngineSpec], count: int, device: Literal["cuda", "cpu"]
) -> tuple[EngineSpec, ...]:
    """Each engine so many times; on GPUs every replica gets its own.

    Args:
        engines: one for each model.
        count: replicas of each, 1 to 64.
        device: `cuda` or `cpu`.

    Raises:
        SpecError: the engines share GPUs, so that there is no set of GPUs for each replica.

    Example:
        >>> engine = EngineSpec(served_model_name="m", model="/m", is_local=True, tensor_parallel_size=2)
        >>> [replica.device_ids for replica in make_replicas([engine], 2, "cuda")]
        [(0, 1), (2, 3)]
    """
    if count == 1:
        return tuple(engines)
    if device == "cuda" and len(engines) > 1:
        raise SpecError(
            "Replicas of several models can't share the GPUs of one machine.",
            "Start one session for each model, or leave --replicas out.",
        )
    each = [_place(engine, number, device) for engine in engines for number in range(count)]
    return tuple(each)


def _place(engine: EngineSpec, number: int, device: Literal["cuda", "cpu"]) -> EngineSpec:
    if device == "cpu":
        return engine
    sizes = (engine.tensor_parallel_size, engine.pipeline_parallel_size, engine.data_parallel_size)
    gpus = 1
    for size in sizes:
        gpus *= size or 1
    return engine.model_copy(update={"device_ids": tuple(range(number * gpus, (number + 1) * gpus))})


def check_gpus(engines: Sequence[EngineSpec], available: int) -> None:
    """Refuses replicas for which there aren't enough GPUs.

    Args:
        engines: as `make_replicas` made them.
        available: GPUs of this machine; 0 when nobody knows.

    Raises:
        SpecError: there are too few.
    """
    needed = 1 + max((gpu for engine in engines for gpu in engine.device_ids), default=-1)
    if not available or needed <= available:
        return
    each = needed // len(engines)
    fits = available // each
    remedy = f"Use --replicas {fits}." if fits else "Use fewer GPUs for each."
    raise SpecError(
        f"{len(engines)} replicas with {each} GPUs each need {needed} GPUs; this machine has {available}.",
        remedy,
    )


def check_names(engines: Sequence[EngineSpec]) -> None:
    """Raises SpecError when two of the models that were named would bear the same name."""
    names = [engine.served_model_name for engine in engines]
    if twice := next((name for name in names if names.count(name) > 1), None):
        remedy = "Set served_model_name for one of them; for several engines of one model add --replicas."
        raise SpecError(f"Two models would be served as {twice!r}.", remedy)


def name_replicas(names: Iterable[str]) -> tuple[str, ...]:
    """What tells engines of one session apart, in logs and figures.

    Args:
        names: their served model names, in the spec's order.

    Example:
        >>> name_replicas(["chat", "embed", "chat"])
        ('chat', 'embed', 'chat@2')
    """
    seen: Counter[str] = Counter()
    own = []
    for name in names:
        seen[name] += 1
        own.append(name if seen[name] == 1 else f"{name}@{seen[name]}")
    return tuple(own)
