"""Adapter: a LoRA adapter that an engine serves beside its model, under a name of its own."""

from __future__ import annotations

import re
from pathlib import Path

from curc_llm.errors import AdapterError
from curc_llm.factfile import Frozen
from curc_llm.spec.model_folder import is_hub_id

# What vLLM takes for --max-lora-rank (vllm/config/lora.py, MaxLoRARanks).
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
DEFAULT_RANK = 16  # vLLM's own
# More of them in one batch cost memory on each GPU; any number may be loaded, vLLM exchanges them.
MOST_AT_ONCE = 4
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


class Adapter(Frozen):
    """A LoRA adapter as it is served.

    Args:
        name: what the API calls it.
        source: its folder (absolute path), or a Hugging Face id.
        is_local: True when `source` is a folder; then nothing is asked of the hub.
        revision: of the hub; None for the main branch.
        base: the model that it was trained on, where that is known already.
        rank: the largest of its ranks, likewise; None until its files have been looked at.
        target_modules: the layers that it changes, likewise.
    """

    name: str
    source: str
    is_local: bool = True
    revision: str | None = None
    base: str = ""
    rank: int | None = None
    target_modules: tuple[str, ...] = ()


def make_adapter(name: str, source: str, revision: str | None = None) -> Adapter:
    """An adapter of what a person said.

    Args:
        name: what the API is to call it.
        source: a folder, or a Hugging Face id.
        revision: of the hub.

    Raises:
        AdapterError: the name or the source can't be meant.

    Example:
        >>> make_adapter("sql", "someone/sql-lora").is_local
        False
    """
    check_adapter_name(name)
    path = Path(source).expanduser()
    if source.startswith(("/", ".", "~")) or path.is_dir():
        return Adapter(name=name, source=str(path.resolve()))
    if not is_hub_id(source):
        raise AdapterError(
            f"{source[:200]!r} is neither a folder nor a Hugging Face id.",
            "Folders start with / or ./; ids look like OWNER/NAME.",
            code="adapter_not_found",
        )
    return Adapter(name=name, source=source, is_local=False, revision=revision)


def check_adapter_name(name: str) -> None:
    """Raises AdapterError when the API can't call an adapter so.

    Example:
        >>> check_adapter_name("sql-2")
    """
    if not NAME.fullmatch(name):
        raise AdapterError(
            f"{name[:100]!r} can't be the name of an adapter.",
            "Use at most 96 letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
            code="adapter_name",
        )


def choose_lora_rank(ranks: tuple[int, ...], wanted: int | None = None) -> int:
    """The max_lora_rank to start vLLM with: the least that vLLM has for all of these ranks.

    Args:
        ranks: of the adapters.
        wanted: what was asked for; it is kept, however small, so that what is too large is refused.

    Raises:
        AdapterError: a rank is larger than vLLM takes, or `wanted` is none of vLLM's.

    Example:
        >>> choose_lora_rank(()), choose_lora_rank((4, 20)), choose_lora_rank((4,), 8)
        (16, 32, 8)
    """
    allowed = ", ".join(map(str, LORA_RANKS))
    if wanted is not None and wanted not in LORA_RANKS:
        raise AdapterError(
            f"max_lora_rank {wanted} isn't one that vLLM has.", f"Use one of {allowed}.", code="adapter_rank"
        )
    largest = max(ranks, default=1)
    if wanted is not None:
        return wanted
    if largest > LORA_RANKS[-1]:
        raise AdapterError(
            f"The rank {largest} is larger than vLLM serves.", f"Use one of {allowed}.", code="adapter_rank"
        )
    return next(rank for rank in LORA_RANKS if rank >= max(largest, DEFAULT_RANK))


def check_rank(adapter: Adapter, max_lora_rank: int) -> None:
    """Raises AdapterError when an adapter's rank is larger than an engine is started for.

    Args:
        adapter: which one.
        max_lora_rank: the engine's.

    Example:
        >>> check_rank(Adapter(name="a", source="/a", rank=8), 16)
    """
    rank = adapter.rank or 1
    if rank <= max_lora_rank:
        return
    raise AdapterError(
        f"The adapter {adapter.name} has the rank {rank}, and the model takes ranks up to {max_lora_rank}.",
        f"Start it with --max-lora-rank {choose_lora_rank((rank,))}; curc-llm swap takes that too."
        if rank <= LORA_RANKS[-1]
        else f"Train it anew with a rank of at most {LORA_RANKS[-1]}, the largest that vLLM has.",
        code="adapter_rank",
    )
