"""What a user's catalogue file may leave out: filled in from the entry below, a folder, or a config.json."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from curc_llm.catalogue.config_json import model_from_config, read_config
from curc_llm.catalogue.folder import read_folder
from curc_llm.catalogue.model import Catalogue
from curc_llm.errors import ModelNotFoundError

USER_SOURCE = "user"
# Of the only weights, when the entry doesn't list several.
WEIGHTS_FIELDS = ("hub_id", "revision", "weight_bytes", "format", "site_path", "min_compute_capability")


def complete_entries(values: dict[str, Any], path: Path, below: Catalogue) -> dict[str, Any]:
    """The values of a user's file with everything added that the entries may leave out.

    Args:
        values: as they stand in the file; what is malformed is left for the schema to complain about.
        path: the file; relative paths in it start from its folder.
        below: the catalogue whose entries these override.
    """
    entries = values.get("models")
    if not isinstance(entries, dict):
        return values
    models, broken = {}, {}
    for name, entry in entries.items():
        try:
            models[name] = _complete(str(name), entry, path, below) if isinstance(entry, dict) else entry
        except ModelNotFoundError as error:
            broken[name] = f"{path}: {error}"
    return {**values, "sources": _add_source(values, path), "models": models, "broken": broken}


def _add_source(values: dict[str, Any], path: Path) -> Any:
    sources = values.get("sources") or {}
    if not isinstance(sources, dict):
        return sources
    date = dt.datetime.fromtimestamp(path.stat().st_mtime, tz=dt.UTC).date()
    return {USER_SOURCE: {"title": path.name, "url": path.absolute().as_uri(), "date": date}, **sources}


def _complete(name: str, entry: dict[str, Any], path: Path, below: Catalogue) -> dict[str, Any]:
    entry = dict(entry)
    base = _find_base(name, entry, path, below)
    entry = _gather_weights(entry, base)
    merged = {**base, **entry}
    if isinstance(base.get("architecture"), dict) and isinstance(entry.get("architecture"), dict):
        merged["architecture"] = {**base["architecture"], **entry["architecture"]}
    if name in below.models and "source" not in entry:
        merged["sources"] = {**dict.fromkeys(entry, USER_SOURCE), **merged.get("sources", {})}
    return {"title": name, "uses": ["chat"], "source": USER_SOURCE, **merged}


def _find_base(name: str, entry: dict[str, Any], path: Path, below: Catalogue) -> dict[str, Any]:
    """What is known before the entry's own values: of its folder, its config.json, or the entry below."""
    folder, config = entry.get("folder"), entry.pop("config", None)
    base: dict[str, Any] = below.models[name].model_dump() if name in below.models else {}
    if isinstance(config, dict):
        base |= _found(model_from_config(config, title=name).model_dump(exclude_unset=True), base)
    elif isinstance(config, str):
        read = read_config(path.parent / Path(config).expanduser())
        base |= _found(model_from_config(read, title=name).model_dump(exclude_unset=True), base)
    if isinstance(folder, str) and "architecture" not in entry:
        entry["folder"] = str(path.parent / Path(folder).expanduser())
        base |= _found(read_folder(Path(entry["folder"])).model_dump(exclude_unset=True), base)
    return base


def _found(values: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """What was read of a file, as the entry's own: its source is the user's file, its name the entry's."""
    kept = {"title", "uses"} if base else {"title"}
    return {key: value for key, value in values.items() if key not in {"source", *kept}}


def _gather_weights(entry: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """`hub_id`, `format` and so on, straight in the entry, mean its only weights."""
    own = {field: entry.pop(field) for field in WEIGHTS_FIELDS if field in entry}
    if not own or "weights" in entry:
        return {**entry, **own}
    first = dict(base["weights"][0]) if base.get("weights") else {"format": "bf16"}
    if "hub_id" in own:  # another checkpoint: what is known of the one below says nothing of it
        first = {"format": first["format"]}
    return {**entry, "weights": [{**first, **own}]}
