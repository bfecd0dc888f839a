"""LoRA adapters of a session, looked at before it starts: which model each belongs to, whether it fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curc_llm.catalogue.adapter_base import check_base, list_names
from curc_llm.catalogue.adapter_folder import CONFIG, read_adapter
from curc_llm.catalogue.load import load_catalogue
from curc_llm.catalogue.lookup import find_model
from curc_llm.catalogue.model import Catalogue, Model
from curc_llm.errors import AdapterError, ModelNotFoundError
from curc_llm.launch.hub_cache import find_downloaded
from curc_llm.settings import Settings, load_settings
from curc_llm.spec import Adapter, EngineSpec, LaunchSpec, Origin, choose_lora_rank, make_adapter
from curc_llm.spec.adapter import LORA_RANKS, check_rank


def add_adapters(spec: LaunchSpec, asked: Sequence[str], settings: Settings) -> LaunchSpec:
    """The spec with the adapters that were asked for, each with the model that it belongs to.

    Those of the settings' entries, which are in the spec already, are looked at as well.

    Args:
        spec: of a session that hasn't begun.
        asked: `NAME=FOLDER`, `NAME=HUB-ID`, or the name of one that the catalogue has for a model.
        settings: name catalogues and where downloads are kept.

    Raises:
        AdapterError: one can't be served; nothing was started.
    """
    if not asked and not any(engine.has_lora for engine in spec.engines):
        return spec
    catalogue = load_catalogue(settings.catalogue)
    origins = spec.origins or tuple(Origin(wanted=engine.model) for engine in spec.engines)
    known = [
        find_entry(engine, origin.wanted, catalogue)
        for engine, origin in zip(spec.engines, origins, strict=True)
    ]
    engines = [_name_base(engine, model) for engine, model in zip(spec.engines, known, strict=True)]
    for text in asked:
        _place(text, engines, known, settings)
    check_adapter_names(engines)
    checked = tuple(_check_all(engine, settings) for engine in engines)
    return spec.model_copy(update={"engines": checked})


def find_entry(engine: EngineSpec, wanted: str, catalogue: Catalogue) -> tuple[str, Model] | None:
    """Name and entry of an engine's model in the catalogue; None when it isn't there.

    Args:
        engine: what is served.
        wanted: what the person called the model.
        catalogue: where to look.
    """
    for name in dict.fromkeys((wanted, engine.model)):
        if name.startswith((".", "/", "~")):
            continue
        try:
            found = find_model(name, catalogue)
        except ModelNotFoundError:
            continue
        return found.name, found.model
    return None


def find_catalogue_entry(engine: EngineSpec) -> tuple[str, Model] | None:
    """The same for a session that runs already, by the catalogues of its owner; reads files."""
    catalogue = load_catalogue(load_settings(flags={"offline": True}).catalogue)
    return find_entry(engine, (engine.known_as or (engine.model,))[0], catalogue)


def _name_base(engine: EngineSpec, known: tuple[str, Model] | None) -> EngineSpec:
    """Quantisations of a model are one base for adapters, which are trained on any of them."""
    if known is None:
        return engine
    name, model = known
    return engine.model_copy(update={"known_as": (name, *(weights.hub_id for weights in model.weights))})


def _place(
    text: str, engines: list[EngineSpec], known: Sequence[tuple[str, Model] | None], settings: Settings
) -> None:
    """Gives an adapter to the engine whose model it fits; with one engine there is no choice."""
    troubles: list[AdapterError] = []
    for engine, entry in zip(engines, known, strict=True):
        try:
            adapter = resolve_adapter(text, entry)
            looked = check_adapter(adapter, engine, settings.hf_home)
        except AdapterError as error:
            troubles.append(error)
            continue
        for other, one in enumerate(engines):  # replicas of a model have the same adapters
            if one.served_model_name == engine.served_model_name:
                engines[other] = one.model_copy(update={"adapters": (*one.adapters, looked)})
        return
    raise troubles[0]


def resolve_adapter(text: str, known: tuple[str, Model] | None) -> Adapter:
    """The adapter that is meant for a model.

    Args:
        text: `NAME=FOLDER`, `NAME=HUB-ID`, `NAME=ENTRY` or `ENTRY`, an entry being the catalogue's.
        known: name and entry of the model in the catalogue.

    Raises:
        AdapterError: there is no such adapter.

    Example:
        >>> resolve_adapter("sql=someone/sql-lora", None).source
        'someone/sql-lora'
    """
    name, sign, source = text.partition("=")
    entries = known[1].adapters if known is not None else {}
    found = entries.get(source or name)
    if found is None and sign:
        return make_adapter(name, source)
    if found is None:
        names = ", ".join(entries) or "none"
        raise AdapterError(
            f"{text[:200]!r} is no adapter that the catalogue has for this model (it has {names}).",
            "Name a folder or a Hugging Face id: --adapter NAME=PATH.",
            code="adapter_not_found",
        )
    made = make_adapter(
        name, str(Path(found.source).expanduser()) if found.folder else found.hub_id, found.revision
    )
    return made.model_copy(update={"rank": found.rank, "target_modules": found.target_modules})


def check_adapter(adapter: Adapter, engine: EngineSpec, hf_home: Path) -> Adapter:
    """The adapter with what its files say, as far as they are here; the engine looks again when it starts.

    Args:
        adapter: which one.
        engine: what is to serve it.
        hf_home: where downloads are kept.

    Raises:
        AdapterError: it is broken, of another model, or its rank is too large.
    """
    folder: Path | None = Path(adapter.source)
    if not adapter.is_local:
        folder = find_downloaded(hf_home, adapter.source, adapter.revision, holding=CONFIG)
    if folder is not None:
        found = read_adapter(folder)
        here = (
            Path(engine.model) if engine.is_local else find_downloaded(hf_home, engine.model, engine.revision)
        )
        names = list_names(engine.model, engine.served_model_name, *engine.known_as)
        check_base(found, engine.served_model_name, names, here)
        told = {"base": found.base, "rank": found.rank, "target_modules": found.target_modules}
        adapter = adapter.model_copy(update=told)
    check_rank(adapter, engine.max_lora_rank or LORA_RANKS[-1])
    return adapter


def check_adapter_names(engines: Sequence[EngineSpec]) -> None:
    """Raises AdapterError when an adapter is called as a model or another adapter is."""
    models = [engine.served_model_name for engine in engines]
    distinct = {engine.served_model_name: engine for engine in engines}.values()
    names = [adapter.name for engine in distinct for adapter in engine.adapters]
    for name in names:
        if name in models or names.count(name) > 1:
            what = "a model" if name in models else "another adapter"
            raise AdapterError(
                f"An adapter can't be called {name!r}: {what} of this session is.",
                "Choose another name.",
                code="adapter_name",
            )


def _check_all(engine: EngineSpec, settings: Settings) -> EngineSpec:
    if engine.runner == "pooling" and not engine.adapters:
        return engine.model_copy(update={"max_loras": None})
    if engine.runner == "pooling":
        raise AdapterError(
            f"{engine.served_model_name} makes embeddings; adapters are for models that write.",
            "Leave its adapters out.",
        )
    looked = tuple(check_adapter(adapter, engine, settings.hf_home) for adapter in engine.adapters)
    choose_lora_rank(tuple(adapter.rank for adapter in looked if adapter.rank), engine.max_lora_rank)
    return engine.model_copy(update={"adapters": looked})
