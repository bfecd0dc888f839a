"""Plausible: what a catalogue file may say of a model that makes no sense, whoever wrote it."""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from curc_llm.catalogue.model import Model

# As huggingface_hub checks them (utils/_validators.py): owner/name, each of letters, digits, `-`, `_`, `.`.
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Nothing that vLLM serves has fewer than about 4 bits for most weights; an adapter alone has far fewer.
LEAST_BYTES_PER_PARAM = 0.1
# Of models that are no hybrids: Gemma 4 E4B's 24 of 42 keep a cache, Nemotron Ultra's about half.
LEAST_WITH_CACHE = 0.25
NUM_NEAREST = 3


class Fault(NamedTuple):
    """Something that makes no sense.

    Args:
        place: where it stands in the entry.
        reason: what is wrong, in one sentence.
        remedy: what to do.
    """

    place: tuple[str, ...]
    reason: str
    remedy: str


def list_faults(model: Model) -> Iterator[Fault]:
    """Everything in an entry that makes no sense.

    Example:
        >>> next(list_faults(model)).reason
        "`tool_call_parser` can't be 'hermess': vLLM 0.32.0 has no such parser."
    """
    yield from _check_parsers(model)
    yield from _check_layers(model)
    for index, weights in enumerate(model.weights):
        place = ("weights", str(index))
        if weights.hub_id and not HUB_ID.fullmatch(weights.hub_id):
            reason = f"`hub_id` can't be {weights.hub_id[:60]!r}: it must look like owner/name."
            yield Fault((*place, "hub_id"), reason, "Write it as in the address of its page on the hub.")
        params, size = model.architecture.total_params, weights.weight_bytes
        if size is not None and size < params * LEAST_BYTES_PER_PARAM:
            reason = f"`weight_bytes` can't be {size:,}: that is too little for {params:,} parameters."
            yield Fault((*place, "weight_bytes"), reason, "Give bytes, or leave it out: it is computed then.")


def _check_parsers(model: Model) -> Iterator[Fault]:
    table = read_parsers()
    for field in ("tool_call_parser", "reasoning_parser"):
        name = getattr(model, field)
        if name is None or name in table[field]:
            continue
        near = difflib.get_close_matches(name.lower(), table[field], n=NUM_NEAREST, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Leave it out, or see vLLM's documentation."
        reason = f"`{field}` can't be {name[:60]!r}: vLLM {table['vllm_version']} has no such parser."
        yield Fault((field,), reason, hint)


def _check_layers(model: Model) -> Iterator[Fault]:
    arch = model.architecture
    count = sum(group.num_layers for group in arch.attention)
    # A hybrid model's feed-forward layers keep nothing, and neither do layers that share another one's cache.
    is_hybrid = not count or any(group.kind == "linear" for group in arch.attention)
    if count > arch.num_layers or (not is_hybrid and count < arch.num_layers * LEAST_WITH_CACHE):
        reason = f"`attention` has {count} layers in all; the model has {arch.num_layers} (`num_layers`)."
        yield Fault(("architecture", "attention"), reason, "Mend either number.")


@functools.lru_cache(maxsize=1)
def read_parsers() -> Mapping[str, Any]:
    """Names of vLLM's parsers by the option that they are for.

    Source: `data/vllm_parsers.json` says of which version; tests/catalogue/test_plausible.py compares it with
    what is installed.
    """
    text = (files("curc_llm") / "data" / "vllm_parsers.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
