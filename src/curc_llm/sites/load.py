"""Sites by name or file: shipped ones from `data/sites`, a file that the admin names, or `local`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from curc_llm.errors import FactFileError, SiteError
from curc_llm.factfile import Frozen, Source, line_of, make_facts, read_yaml
from curc_llm.sites.card import Card
from curc_llm.sites.check import Flaw, find_flaws
from curc_llm.sites.site import Site

DATA = Path(__file__).parents[1] / "data"
SITES_DIR = DATA / "sites"
CARDS_FILE = DATA / "cards.yml"
LOCAL = "local"
# Keys of sources that come with a card from cards.yml begin with this: they can't clash with a site's own.
FROM_CARDS = "cards/"


class CardFile(Frozen):
    """A file of cards, such as the shipped `data/cards.yml`.

    Args:
        sources: what the cards' `source` keys stand for.
        cards: hardware by key.
    """

    version: Literal[1] = 1
    sources: dict[str, Source]
    cards: dict[str, Card]


def site_names() -> tuple[str, ...]:
    """The sites that need no file: the shipped ones, and `local` for this machine.

    Example:
        >>> site_names()
        ('alpine', 'capella', 'local')
    """
    return (*sorted(path.stem for path in SITES_DIR.glob("*.yml")), LOCAL)


def load_cards() -> dict[str, Card]:
    """The shipped kinds of GPU by key.

    Raises:
        FactFileError: the file is broken.
    """
    return read_card_file(CARDS_FILE).cards


def read_card_file(path: Path) -> CardFile:
    """The cards and sources of one file.

    Raises:
        FactFileError: it can't be read, or something in it is wrong; names file and line.
    """
    text, values = read_yaml(path, "card file")
    return make_facts(CardFile, values, path, text)


def load_site(name_or_path: str, cards_file: Path | None = None) -> Site:
    """A site with every card that its GPU types name.

    Args:
        name_or_path: a shipped name, `local`, or the path of a site file (`~` and variables are replaced).
        cards_file: kinds of GPU to choose from instead of the shipped ones.

    Raises:
        SiteError: there is no such site.
        FactFileError: its file is broken; names file, line and what is allowed.

    Example:
        >>> load_site("capella").partitions["capella"].gpus_per_node
        4
    """
    shipped = read_card_file(cards_file or CARDS_FILE)
    if name_or_path == LOCAL:
        from curc_llm.sites.local import make_local_site  # asks the machine, which the others don't

        return add_cards(make_local_site(shipped.cards), shipped)
    path = find_site_file(name_or_path)
    site, flaws = read_site_file(path, shipped.cards)
    if flaws:
        raise FactFileError(f"{path}, line {flaws[0].line}: {flaws[0].message}", flaws[0].remedy)
    return add_cards(site, shipped)


def find_site_file(name_or_path: str) -> Path:
    """The file of a site.

    Raises:
        SiteError: neither a shipped site nor a file.
    """
    if name_or_path == LOCAL:
        message = "The site `local` has no file: it is made from this machine."
        raise SiteError(message, "See it with: curc-llm site show local")
    shipped = SITES_DIR / f"{name_or_path}.yml"
    if name_or_path in site_names() and shipped.is_file():
        return shipped
    path = Path(os.path.expandvars(name_or_path)).expanduser()
    if path.is_file():
        return path
    if os.sep in name_or_path or path.suffix in {".yml", ".yaml"}:
        raise SiteError(f"There is no site file {path}.", "Check the path.")
    near = difflib.get_close_matches(name_or_path.lower(), site_names(), n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise SiteError(
        f"There is no site named {name_or_path!r}.",
        f"{hint}Sites there are: {', '.join(site_names())}; or give the path of a site file.",
    )


def find_own_file(name_or_path: str) -> str:
    """The full path of a site file that isn't one of those shipped; empty for these, and for `local`.

    Raises:
        SiteError: neither a shipped site nor a file.

    Example:
        >>> find_own_file("alpine")
        ''
    """
    path = None if name_or_path == LOCAL else find_site_file(name_or_path)
    return str(path.resolve()) if path is not None and path.parent != SITES_DIR else ""


def read_site_file(path: Path, cards: Mapping[str, Card]) -> tuple[Site, tuple[Flaw, ...]]:
    """A site as its file says, and what is wrong with it beyond the types of its values.

    Args:
        path: the file.
        cards: kinds of GPU that it may name besides its own.

    Raises:
        FactFileError: it can't be read, or a value is of the wrong kind.
    """
    text, values = read_yaml(path, "site file")
    site = make_facts(Site, values, path, text)
    flaws = (flaw.at_line(line_of(text, flaw.location)) for flaw in find_flaws(site, cards))
    return site, tuple(sorted(flaws, key=lambda flaw: flaw.line))


def add_cards(site: Site, shipped: CardFile) -> Site:
    """The site with the shipped cards that its GPU types name, and with those cards' sources."""
    named = {gpu.card for partition in site.partitions.values() for gpu in partition.gpu_types.values()}
    cards = {key: _with_own_sources(shipped.cards[key]) for key in sorted(named - set(site.cards))}
    keys = {key for card in cards.values() for key in (card.source, *card.sources.values())}
    sources = {
        FROM_CARDS + key: source for key, source in shipped.sources.items() if FROM_CARDS + key in keys
    }
    return site.model_copy(update={"cards": {**cards, **site.cards}, "sources": {**site.sources, **sources}})


def _with_own_sources(card: Card) -> Card:
    sources = {field: FROM_CARDS + key for field, key in card.sources.items()}
    return card.model_copy(update={"source": FROM_CARDS + card.source, "sources": sources})
