"""The catalogue: what curc-llm ships, then each of the user's files adds models or overrides them by name."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from curc_llm.catalogue.model import Catalogue, Model, Weights
from curc_llm.catalogue.plausible import list_faults
from curc_llm.catalogue.user_file import complete_entries
from curc_llm.errors import FactFileError
from curc_llm.factfile import Source, line_of, make_facts, read_yaml


def load_catalogue(extra: Sequence[Path] = ()) -> Catalogue:
    """What curc-llm ships, then what each of `extra` adds or overrides, in this order.

    A file's source keys are its own: in the merged catalogue they are `FILE:KEY`.

    Args:
        extra: catalogue files of the user or the centre (the settings' `catalogue`); they must exist.

    Raises:
        FactFileError: a file holds something that can't be used; names the file and line.

    Example:
        >>> load_catalogue().models["llama-3.1-8b-instruct"].architecture.num_layers
        32
    """
    catalogue = load_shipped()
    for path in extra:
        catalogue = _merge(catalogue, read_user_file(path, catalogue), path.name)
    return catalogue


@functools.lru_cache(maxsize=1)
def load_shipped() -> Catalogue:
    """The models that come with curc-llm; read once per process.

    Raises:
        FactFileError: a file is broken, or a name stands in two of them.
    """
    folder = Path(str(files("curc_llm") / "data" / "catalogue"))
    catalogue = Catalogue(models={})
    for path in sorted(folder.glob("*.yml")):
        found = read_shipped_file(path)
        if twice := sorted(found.models.keys() & catalogue.models.keys()):
            raise FactFileError(
                f"{path}: the model `{twice[0]}` stands in another shipped file too.", "Remove one."
            )
        catalogue = _merge(catalogue, found, path.stem)
    return catalogue


def read_shipped_file(path: Path) -> Catalogue:
    """One catalogue file in full: every model with all its figures and their sources.

    Raises:
        FactFileError: it can't be read or used; names the file and line.
    """
    text, values = read_yaml(path, "catalogue file")
    return _build(values, path, text, {})


def read_user_file(path: Path, below: Catalogue) -> Catalogue:
    """One file of the user: entries may leave out whatever can be found out or is known already.

    Args:
        path: the file.
        below: the catalogue that its entries override.

    Raises:
        FactFileError: it can't be read or used; names the file and line.
    """
    text, values = read_yaml(path, "catalogue file")
    return _build(complete_entries(values, path, below), path, text, below.sources)


def _build(values: dict[str, Any], path: Path, text: str, other: Mapping[str, Source]) -> Catalogue:
    """The file's catalogue. `other` are sources that entries may name besides the file's own."""
    catalogue = make_facts(Catalogue, values, path, text)
    for name, model in catalogue.models.items():
        for fault in list_faults(model):
            line = line_of(text, ["models", name, *fault.place])
            raise FactFileError(f"{path}, line {line}: {fault.reason}", fault.remedy)
        for location, key in _list_sources(name, model):
            if key not in catalogue.sources and key not in other:
                raise _unknown_source(key, catalogue, path, line_of(text, location))
    return catalogue


def _unknown_source(key: str, catalogue: Catalogue, path: Path, line: int) -> FactFileError:
    return FactFileError(
        f"{path}, line {line}: `{key}` is not one of this file's sources.",
        f"Add it to `sources`, or use one of: {', '.join(sorted(catalogue.sources)) or 'none yet'}.",
    )


def _list_sources(name: str, model: Model) -> list[tuple[list[str], str]]:
    """Where the entry names a source, and which."""
    here = ["models", name]
    found = [([*here, "source"], model.source)]
    found += [([*here, "sources", field], key) for field, key in model.sources.items()]
    for index, weights in enumerate(model.weights):
        place = [*here, "weights", str(index)]
        found += [([*place, "source"], weights.source)] if weights.source else []
        found += [([*place, "sources", field], key) for field, key in weights.sources.items()]
    return found


def _merge(low: Catalogue, high: Catalogue, label: str) -> Catalogue:
    """Both together; the later model of a name counts. `label` tells the files' sources apart."""
    sources = {f"{label}:{key}": source for key, source in high.sources.items()}
    # An overridden entry keeps keys of the catalogue below: those are told apart already.
    models = {name: _relabel(model, label, high.sources) for name, model in high.models.items()}
    return Catalogue(
        sources={**low.sources, **sources},
        models={**{n: m for n, m in low.models.items() if n not in high.broken}, **models},
        broken={**{n: why for n, why in low.broken.items() if n not in models}, **high.broken},
    )


def _relabel(model: Model, label: str, own: Mapping[str, Source]) -> Model:
    weights = tuple(w.model_copy(update=_relabelled(w, label, own)) for w in model.weights)
    return model.model_copy(update={**_relabelled(model, label, own), "weights": weights})


def _relabelled(fact: Model | Weights, label: str, own: Mapping[str, Source]) -> dict[str, Any]:
    def rename(key: str) -> str:
        return f"{label}:{key}" if key in own else key

    return {"source": rename(fact.source), "sources": {f: rename(key) for f, key in fact.sources.items()}}
