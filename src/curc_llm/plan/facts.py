"""Facts: everything that the planner may know. It reads nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from curc_llm.catalogue.load import load_catalogue
from curc_llm.catalogue.lookup import Found as FoundModel
from curc_llm.catalogue.lookup import find_model
from curc_llm.catalogue.model import Catalogue, Model
from curc_llm.plan.offer import Offer, make_offers
from curc_llm.plan.presets import Presets, load_presets
from curc_llm.settings import ModelSettings, Settings
from curc_llm.sites.card import Card
from curc_llm.sites.load import load_site
from curc_llm.sites.site import Site

DEFAULT_HOURS = 4.0  # long enough for an afternoon, short enough to start soon


@dataclass(frozen=True)
class Wishes:
    """What is wanted when neither the person nor the preset nor the model says so (the user's settings).

    Args:
        max_model_len: context in tokens.
        max_num_seqs: requests at once.
        gpu_memory_utilization: share of each GPU's memory that vLLM may use.
        hours: wall time in hours.
    """

    max_model_len: int = 32768
    max_num_seqs: int = 16
    gpu_memory_utilization: float = 0.90
    hours: float = DEFAULT_HOURS


@dataclass(frozen=True)
class Facts:
    """What the planner knows.

    Args:
        site: the Slurm centre, with the cards of its GPU types.
        models: the catalogue, by name.
        presets: goals by name.
        find_model: from what a person typed to a model; raises ModelNotFoundError.
        defaults: the user's settings.
        worked_out: searches that were made already, so that the next plan for the same model is quick.
    """

    site: Site
    models: Mapping[str, Model]
    presets: Presets
    find_model: Callable[[str], FoundModel]
    defaults: Wishes = field(default_factory=Wishes)
    worked_out: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def cards(self) -> Mapping[str, Card]:
        """GPUs as hardware, by the names that the site's GPU types use."""
        return self.site.cards

    @cached_property
    def offers(self) -> tuple[Offer, ...]:
        """Every GPU type of every partition of the site."""
        return make_offers(self.site)


def load_facts(settings: Settings, site: str | None = None) -> Facts:
    """The facts that a user's settings name.

    Args:
        settings: names site and catalogue files; its `defaults` are what is wanted unless somebody says else.
        site: another site than the settings'; a name or a file.

    Raises:
        SiteError: there is no such site.
        FactFileError: a file can't be used; names the line.

    Example:
        >>> load_facts(load_settings(), "capella").site.name
        'capella'
    """
    catalogue = load_catalogue(settings.catalogue)
    return make_facts_of(load_site(site or settings.site), catalogue, load_presets(), settings.defaults)


def make_facts_of(
    site: Site, catalogue: Catalogue, presets: Presets, defaults: ModelSettings | None = None
) -> Facts:
    """The facts of a site, a catalogue and presets."""
    return Facts(
        site=site,
        models=catalogue.models,
        presets=presets,
        find_model=partial(find_model, catalogue=catalogue),
        defaults=_make_wishes(defaults),
    )


def _make_wishes(settings: ModelSettings | None) -> Wishes:
    if settings is None:
        return Wishes()
    own = Wishes()
    return Wishes(
        max_model_len=settings.max_model_len or own.max_model_len,
        max_num_seqs=settings.max_num_seqs or own.max_num_seqs,
        gpu_memory_utilization=settings.gpu_memory_utilization or own.gpu_memory_utilization,
        hours=settings.time_h or own.hours,
    )
