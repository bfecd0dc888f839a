"""What the launch widget lets a person choose: models, GPUs that hold them, purposes. The planner decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curc_llm.catalogue.model import Model
from curc_llm.launch.asked import make_site_request
from curc_llm.plan.candidates import make_counts
from curc_llm.plan.companion import makes_embeddings
from curc_llm.plan.facts import Facts
from curc_llm.plan.offer import Offer
from curc_llm.plan.planner import make_search, plan_with
from curc_llm.plan.presets import Presets
from curc_llm.plan.request import PlanRequest
from curc_llm.plan.search import Found
from curc_llm.settings import Settings
from curc_llm.spec import DEMO_EMBED_NAME, DEMO_MODEL_NAME

OWN = "own"
CONTEXTS_TOKENS = (4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_048_576)
_NO_CHAT = {"embeddings": " (embeddings, no chat)", "base": " (base model, no chat)"}
# Presets by size only name a model, which this form asks for anyway.
_BY_SIZE = re.compile(r"\d+B\)")

Option = dict[str, Any]


def list_models(facts: Facts, settings: Settings) -> list[Option]:
    """Models to choose from: one's own entries, what needs no download, then the catalogue by title.

    Args:
        facts: of the site.
        settings: the person's own.
    """
    own = [_option(name, name, "Your settings") for name in settings.models]
    known = sorted(facts.models.items(), key=lambda item: (_group(item[1], facts)[0], item[1].title.lower()))
    options = [_option(name, _label(model), _group(model, facts)[1]) for name, model in known]
    demo = _option("demo", f"{DEMO_MODEL_NAME} (tiny, to try things out)", "Bundled with curc-llm")
    return [*own, *options, demo, _option(OWN, "Another model (its name or folder)", "")]


def list_local_models(settings: Settings) -> list[Option]:
    """Models to choose from on this machine itself."""
    own = [_option(name, name, "Your settings") for name in settings.models]
    demo = _option("demo", f"{DEMO_MODEL_NAME} (bundled, tiny: shows how everything works)", "")
    return [demo, *own, _option(OWN, "Another model (its name or folder)", "")]


def _option(value: str, label: str, group: str) -> Option:
    return {"value": value, "label": label, "group": group}


def _label(model: Model) -> str:
    return f"{model.title}{_NO_CHAT.get(model.uses[0], '')}"


def _group(model: Model, facts: Facts) -> tuple[int, str]:
    if facts.site.storage.models_dir and any(weights.site_path for weights in model.weights):
        return 0, "Ready on this cluster (no download)"
    if model.has_chat_template and "chat" in model.uses:
        return 1, "Chat models from Hugging Face"
    return 2, "For code and scripts, not for chats"


def list_embedders(facts: Facts) -> list[Option]:
    """Embedding models to choose from, to be served beside a chat model; none at first."""
    known = [(name, model.title) for name, model in facts.models.items() if makes_embeddings(model)]
    named = sorted(known, key=lambda item: item[1].lower())
    demo = (DEMO_EMBED_NAME, f"{DEMO_EMBED_NAME} (tiny, to try things out)")
    return [_option("", "None", ""), *(_option(name, title, "") for name, title in (*named, demo))]


def list_presets(presets: Presets) -> list[Option]:
    """Purposes to choose from."""
    named = [(name, p.title) for name, p in presets.presets.items() if not _BY_SIZE.search(p.title)]
    return [_option("", "Balanced (for most people)", ""), *(_option(n, title, "") for n, title in named)]


def list_contexts() -> list[Option]:
    """Context lengths to choose from."""
    return [_option("", "Automatic", ""), *(_option(str(n), f"{n:,} tokens", "") for n in CONTEXTS_TOKENS)]


def list_qos(facts: Facts) -> list[Option]:
    """The site's QoS to choose from."""
    named = [(name, f"{name} (up to {qos.max_time_h:g} h)") for name, qos in facts.site.qos.items()]
    return [_option("", "Automatic", ""), *(_option(name, label, "") for name, label in named)]


@dataclass(frozen=True)
class Place:
    """GPUs of one kind in one partition, and how many.

    Args:
        partition, gpu_type: Slurm's words.
        num_gpus: of the whole launch.
    """

    partition: str
    gpu_type: str
    num_gpus: int

    @property
    def slug(self) -> str:
        """As the form sends it.

        Example:
            >>> Place("aa100", "a100_80gb", 2).slug
            'aa100:a100_80gb:2'
        """
        return f"{self.partition}:{self.gpu_type}:{self.num_gpus}"


def parse_place(slug: str) -> Place | None:
    """The place that the form sends; None for an automatic choice or what isn't one.

    Example:
        >>> parse_place("aa100:a100_80gb:2").num_gpus, parse_place("")
        (2, None)
    """
    partition, _, rest = slug.partition(":")
    gpu_type, _, count = rest.rpartition(":")
    if not (partition and gpu_type and count.isascii() and count.isdigit()):
        return None
    return Place(partition, gpu_type, int(count))


def name_gpu(title: str) -> str:
    """A kind of GPU without what only sellers say.

    Example:
        >>> name_gpu("NVIDIA A100 80 GB PCIe")
        'A100 80 GB PCIe'
    """
    for words in ("NVIDIA ", "AMD ", " Blackwell Server Edition", " Server Edition"):
        title = title.replace(words, "")
    return title


def list_places(model: str, preset: str, facts: Facts, settings: Settings, embed: str = "") -> list[Option]:
    """Every kind and number of GPUs at the site, and whether a model fits there.

    The first ones hold the model, the cheapest first; `best` marks what the planner recommends.

    Args:
        model: as a person called it.
        preset: a purpose; empty for none.
        facts: of the site.
        settings: the person's own.
        embed: an embedding model to be served beside it; empty for none.

    Raises:
        ModelNotFoundError: there is no such model; names the nearest.
        PlanError: the embedding model is none.
    """
    wanted_too = PlanRequest(model=model, preset=preset or None, embed=embed or None)
    asked = make_site_request(settings, wanted_too)
    search, asked = make_search(asked, facts)
    best = plan_with(search, asked, with_others=False)
    rows = []
    for offer, place in _places(facts):
        wanted = {"partition": place.partition, "gpu_type": place.gpu_type, "num_gpus": place.num_gpus}
        found = search.find(asked.model_copy(update=wanted))
        fits = isinstance(found, Found) and not search.model.vllm_refusal
        cost = found.su_per_h if isinstance(found, Found) else None
        is_best = best.fits and Place(best.partition, best.gpu_type, best.num_gpus or 0) == place
        rows.append(_place_option(offer, place, facts, fits=fits, su_per_h=cost, is_best=is_best))
    return sorted(rows, key=lambda row: (not row["fits"], row["su_per_h"] or 0.0))


def _places(facts: Facts) -> Iterator[tuple[Offer, Place]]:
    for offer in facts.offers:
        for count in make_counts(facts.site, offer, PlanRequest(model="")):
            yield offer, Place(offer.partition_name, offer.gpu_name, count)


def _place_option(
    offer: Offer, place: Place, facts: Facts, *, fits: bool, su_per_h: float | None, is_best: bool
) -> Option:
    label = f"{place.num_gpus} × {name_gpu(offer.card.title)}"
    if sum(other.gpu_name == offer.gpu_name for other in facts.offers) > 1:
        label += f" in {offer.partition_name}"
    if offer.gpu.on_request:
        label += " (ask the centre first)"
    if fits and su_per_h is not None:
        label += f" · {su_per_h:,.1f} {facts.site.billing.unit}/h"
    group = "These hold the model" if fits else "These don't (choose one to see why)"
    return {
        **_option(place.slug, label + (" · suggested" if is_best else ""), group),
        "fits": fits,
        "su_per_h": su_per_h,
        "best": is_best,
    }
