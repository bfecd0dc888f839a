"""The models that a centre keeps for everyone: read from there, nothing is downloaded, no token needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from curc_llm.catalogue.load import load_catalogue
from curc_llm.catalogue.model import Model, Weights
from curc_llm.errors import CurcLlmError, SiteError
from curc_llm.settings import Settings
from curc_llm.sites.load import load_site
from curc_llm.sites.placement import load_site_settings
from curc_llm.sites.site import Site
from curc_llm.sites.storage import expand_path
from curc_llm.spec import EngineSpec, LaunchSpec


def find_centre_copy(weights: Weights, site: Site, environ: Mapping[str, str]) -> Path | None:
    """The folder in which the centre keeps these weights; None when none is seen from here.

    Args:
        weights: of the catalogue.
        site: names `models_dir`, perhaps by a variable that is set on compute nodes only.
        environ: the environment.
    """
    if not weights.site_path or not site.storage.models_dir:
        return None
    try:
        folder = expand_path(site.storage.models_dir, environ) / weights.site_path
    except SiteError:
        return None
    return folder if (folder / "config.json").is_file() else None


def use_centre_copies(
    spec: LaunchSpec, environ: Mapping[str, str], settings: Settings | None = None
) -> LaunchSpec:
    """A spec whose engines read the centre's copies where there are any.

    A revision that a person pinned is kept: which one the centre has isn't known.

    Args:
        spec: of a job that runs on this node.
        environ: the job's environment.
        settings: name site and catalogues; the user's own when not given.
    """
    try:
        settings = settings or load_site_settings(environ=environ)
        site = load_site(settings.site)
        models = load_catalogue(settings.catalogue).models
    except CurcLlmError:  # what can't be read is told where it is needed
        return spec
    copies = {e.model: _find(e, models, site, environ) for e in spec.engines if not e.is_local}
    engines = tuple(_move(engine, copies.get(engine.model)) for engine in spec.engines)
    return spec.model_copy(update={"engines": engines})


def _find(
    engine: EngineSpec, models: Mapping[str, Model], site: Site, environ: Mapping[str, str]
) -> Path | None:
    for weights in (w for model in models.values() for w in model.weights if w.hub_id == engine.model):
        if engine.revision in (None, weights.revision):
            return find_centre_copy(weights, site, environ)
    return None


def _move(engine: EngineSpec, copy: Path | None) -> EngineSpec:
    if copy is None:
        return engine
    return engine.model_copy(update={"model": str(copy), "is_local": True, "revision": None})
