"""What can be wrong with a site although each of its values is of the right kind."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from curc_llm.factfile import Fact
from curc_llm.sites.card import Card
from curc_llm.sites.network import Network
from curc_llm.sites.site import GpuType, Partition, QosLimit, Site

Location = tuple[str, ...]


@dataclass(frozen=True)
class Flaw:
    """Something wrong in a site file.

    Args:
        location: names of the keys that lead there.
        message: one sentence with the value and what is allowed.
        remedy: what to do about it.
        line: in the file; 0 while it isn't known.
    """

    location: Location
    message: str
    remedy: str = "Mend the value."
    line: int = 0

    def at_line(self, line: int) -> Flaw:
        """The same, with its line."""
        return dataclasses.replace(self, line=line)


def find_flaws(site: Site, cards: Mapping[str, Card]) -> tuple[Flaw, ...]:
    """Everything that doesn't hang together.

    Args:
        site: as its file says.
        cards: kinds of GPU that it may name besides its own.

    Example:
        >>> [flaw.message for flaw in find_flaws(load_site("alpine"), load_cards())]
        []
    """
    known = {**cards, **site.cards}
    flaws = [*_check_sources(site), *_check_account(site), *_check_times(site)]
    for name, partition in site.partitions.items():
        flaws += _check_partition(("partitions", name), partition)
        for key, gpu in partition.gpu_types.items():
            flaws += _check_gpu(("partitions", name, "gpu_types", key), gpu, partition, site, known)
    if not site.partitions:
        flaws.append(Flaw(("partitions",), "`partitions` is empty.", "Name at least one with GPUs."))
    return tuple(flaws)


def walk_facts(value: object, location: Location = ()) -> Iterator[tuple[Location, Fact]]:
    """Every object with a source, with the keys that lead to it."""
    if isinstance(value, Fact):
        yield location, value
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from walk_facts(getattr(value, name), (*location, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from walk_facts(inner, (*location, str(key)))


def _check_sources(site: Site) -> Iterator[Flaw]:
    for location, fact in walk_facts(site):
        inherits = isinstance(fact, (QosLimit, Network)) and not fact.source
        if fact is site.network and inherits and fact != Network():
            yield Flaw(location, "`network` names no source.", "Add `source`, with a key of `sources`.")
        if not inherits and fact.source not in site.sources:
            yield _unknown((*location, "source"), "source", fact.source, site.sources)
        for field, key in fact.sources.items():
            if field not in type(fact).model_fields:
                yield _unknown((*location, "sources", field), "field", field, type(fact).model_fields)
            elif key not in site.sources:
                yield _unknown((*location, "sources", field), "source", key, site.sources)


def _check_account(site: Site) -> Iterator[Flaw]:
    account = site.account
    if account.is_required and not account.default and not account.examples:
        yield Flaw(
            ("account", "is_required"),
            "an account is required, but neither `default` nor `examples` says what one looks like.",
            "Give one example.",
        )


def _check_times(site: Site) -> Iterator[Flaw]:
    for name, qos in site.qos.items():
        if qos.min_time_h > qos.max_time_h:
            message = f"`min_time_h` {qos.min_time_h:g} is above `max_time_h` {qos.max_time_h:g}."
            yield Flaw(("qos", name, "min_time_h"), message, "Swap them.")


def _check_partition(location: Location, partition: Partition) -> Iterator[Flaw]:
    if not partition.gpu_types:
        yield Flaw((*location, "gpu_types"), "`gpu_types` is empty.", "Name at least one, or leave it out.")
    seen: dict[str, str] = {}
    for key, gpu in partition.gpu_types.items():
        name = gpu.gres_type or key
        if name in seen:
            message = f"`{key}` and `{seen[name]}` have the same gres_type `{name}`."
            yield Flaw(
                (*location, "gpu_types", key, "gres_type"), message, "Slurm could not tell them apart."
            )
        seen[name] = key


def _check_gpu(
    location: Location, gpu: GpuType, partition: Partition, site: Site, cards: Mapping[str, Card]
) -> Iterator[Flaw]:
    if gpu.card not in cards:
        yield _unknown((*location, "card"), "card", gpu.card, cards)
    for name in gpu.qos:
        if name not in site.qos:
            yield _unknown((*location, "qos", name), "QoS", name, site.qos)
    if gpu.max_cores_per_gpu > partition.cores_per_node:
        message = (
            f"`max_cores_per_gpu` {gpu.max_cores_per_gpu} is above the {partition.cores_per_node} of a node."
        )
        yield Flaw((*location, "max_cores_per_gpu"), message)


def _unknown(location: Location, kind: str, name: str, known: Mapping[str, object]) -> Flaw:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    allowed = ", ".join(sorted(known)) or "none"
    return Flaw(location, f"there is no {kind} named `{name}`.", f"{hint}Allowed there: {allowed}.")
