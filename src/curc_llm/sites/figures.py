"""Every figure of a site with the source that vouches for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curc_llm.factfile import Fact, Source
from curc_llm.sites.check import walk_facts
from curc_llm.sites.site import Site

OWN_FIELDS = frozenset(Fact.model_fields)


@dataclass(frozen=True)
class Figure:
    """One value of a site.

    Args:
        place: the keys that lead to it, joined by dots.
        value: as the file has it.
        source_key, source: where it comes from.
        verified: False while nobody has compared its object with the first-hand source.
    """

    place: str
    value: object
    source_key: str
    source: Source
    verified: bool


def list_figures(site: Site) -> tuple[Figure, ...]:
    """All values that a site states, in the order of its file; nothing that it leaves to the defaults.

    A limit of a QoS without a source of its own has that of its GPU type, a partition's network the
    partition's.

    Example:
        >>> [f.value for f in list_figures(load_site("capella")) if f.place.endswith("capella.nodes")]
        [156]
    """
    figures: list[Figure] = []
    keys: dict[tuple[str, ...], str] = {}
    for location, fact in walk_facts(site):
        around = (location[:end] for end in range(len(location) - 1, 0, -1))
        keys[location] = fact.source or next((keys[place] for place in around if place in keys), "")
        for field, value in _list_values(fact):
            key = fact.sources.get(field, keys[location])
            place = ".".join((*location, field))
            figures.append(Figure(place, value, key, site.sources[key], fact.verified))
    return tuple(figures)


def _list_values(fact: Fact) -> Iterator[tuple[str, object]]:
    for field in type(fact).model_fields:
        value = getattr(fact, field)
        stated = field in fact.model_fields_set and field not in OWN_FIELDS
        if stated and not isinstance(value, (dict, Fact)) and value not in (None, "", ()):
            yield field, value
