"""What a download of a model fetches: the repository and revision that a launch of it would look for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curc_llm.catalogue.lookup import find_model
from curc_llm.catalogue.model import Catalogue, Model, Weights
from curc_llm.engine.download import FoundModel
from curc_llm.errors import ModelNotFoundError
from curc_llm.plan.quantisation import ONLINE_FP8
from curc_llm.settings import ModelSettings, Settings
from curc_llm.spec import is_demo, is_hub_id

# Larger files come through the hub's own protocol alone (huggingface_hub, constants.MAX_HTTP_DOWNLOAD_SIZE).
MAX_HTTP_BYTES = 50 * 10**9
# What vLLM can turn into FP8 while it loads.
PLAIN = ("bf16", "fp16", "fp32")


@dataclass(frozen=True)
class Choice:
    """One repository of the hub.

    Args:
        hub_id: its id.
        revision: a commit, branch or tag; None for the main branch.
        name: what a launch calls the model.
        model: what the catalogue knows of it; None when it isn't there.
        weights: which of the model's weights it holds; None when the catalogue doesn't know it.
    """

    hub_id: str
    revision: str | None
    name: str
    model: Model | None = None
    weights: Weights | None = None


def choose(
    wanted: str,
    settings: Settings,
    catalogue: Catalogue,
    *,
    quantisation: str | None = None,
    revision: str | None = None,
) -> Choice:
    """The repository that is meant.

    Args:
        wanted: an entry of the settings, a name of the catalogue or a Hugging Face id.
        settings: the person's own.
        catalogue: where names are looked up.
        quantisation: which of the model's weights; None for those that are served when nothing is said.
        revision: a commit, branch or tag; None for the catalogue's, else the main branch.

    Raises:
        ModelNotFoundError: there is no such model or quantisation, or nothing to download of it.
    """
    entry = settings.models.get(wanted, ModelSettings())
    name = entry.model or wanted
    _check_is_remote(name)
    quantisation = quantisation or entry.quantisation
    try:
        found = find_model(name, catalogue)
    except ModelNotFoundError:
        if not is_hub_id(name):
            raise
        if quantisation:
            raise ModelNotFoundError(
                f"{name} isn't in the catalogue, so which of its weights are {quantisation} isn't known.",
                "Name the repository that holds them, without --quantisation.",
            ) from None
        return Choice(name, revision or entry.revision, wanted)
    weights = _choose_weights(found.model, found.name, quantisation) if quantisation else found.weights
    weights = weights or found.model.weights[0]
    return Choice(
        weights.hub_id, revision or entry.revision or weights.revision, wanted, found.model, weights
    )


def make_environment(environ: Mapping[str, str], found: FoundModel) -> dict[str, str]:
    """The environment of a download that can be interrupted: plain HTTP, whose half-fetched files go on.

    The hub's own protocol may write a file's parts in any order, so an interrupted one is lost; and it keeps
    many cores of a login node busy. Files that plain HTTP doesn't serve need it.
    """
    plain = {"HF_HUB_DISABLE_XET": "1"} if found.largest_bytes <= MAX_HTTP_BYTES else {}
    return {**environ, **plain}


def _check_is_remote(name: str) -> None:
    if is_demo(name):
        raise ModelNotFoundError(
            "The model demo comes with curc-llm; there is nothing to fetch.", "Launch it."
        )
    if name.startswith(("/", "./", "../", "~")):
        raise ModelNotFoundError(
            f"{name[:100]} is a folder; only models of the hub are fetched.",
            "Launch it as it is, or give a name of `curc-llm models` or a Hugging Face id.",
        )


def _choose_weights(model: Model, name: str, quantisation: str) -> Weights:
    formats = PLAIN if quantisation == ONLINE_FP8 else (quantisation,)
    for weights in model.weights:
        if weights.format in formats:
            return weights
    known = ", ".join(dict.fromkeys(weights.format for weights in model.weights))
    raise ModelNotFoundError(f"{name} has no weights in {quantisation[:40]}.", f"It has: {known}.")
