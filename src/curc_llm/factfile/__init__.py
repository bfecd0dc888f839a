"""Fact files: YAML by hand, with a source for each figure, into frozen typed objects.

Errors name the file, the line and what is allowed. Sites, catalogue and presets are such files; settings
use the same words for their errors.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from curc_llm.errors import FactFileError
from curc_llm.factfile.wording import explain, most_telling
from curc_llm.factfile.yaml_text import line_of, read_yaml

__all__ = [
    "Fact",
    "Facts",
    "Frozen",
    "Source",
    "explain",
    "line_of",
    "make_facts",
    "most_telling",
    "read_yaml",
]

Facts = TypeVar("Facts", bound=BaseModel)
# A file of the person's own has `file:` in front: only what curc-llm itself makes of a catalogue's path.
ADDRESS = re.compile(r"https?://[^\s/?#]+\S*|file:///\S+")


class Frozen(BaseModel):
    """Base of everything that is read from a fact file: unchangeable, and unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Source(Frozen):
    """Where a figure comes from.

    Args:
        title: name of the page, paper or file.
        url: its address; `file:` for a file of the person's own.
        date: when it said so: the page's own date, else the day on which it was read.
        note: what a reader should know, such as "secondary source".
    """

    title: str
    url: str
    date: dt.date
    note: str = ""

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if not ADDRESS.fullmatch(value):
            raise ValueError("It must be a web address, such as https://www.colorado.edu/rc.")
        return value


class Fact(Frozen):
    """Something with figures, each of which has a source.

    Args:
        source: key, in the file's `sources`, of where this object's figures come from.
        sources: keys for single fields that come from elsewhere.
        verified: False while nobody has compared the figures with the first-hand source.
    """

    source: str
    sources: dict[str, str] = {}
    verified: bool = True


def make_facts(model: type[Facts], values: dict[str, Any], path: Path, text: str) -> Facts:
    """The typed object of a fact file's values.

    Raises:
        FactFileError: a value is wrong; names file, line, value and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = most_telling(error.errors())
        line = line_of(text, [str(part) for part in first["loc"]])
        raise FactFileError(f"{path}, line {line}: {explain(first)}", _allowed(model, first)) from error


def _allowed(model: type[BaseModel], error: Any) -> str:
    if error["type"] == "missing":
        return "Add it."
    if error["type"] != "extra_forbidden":
        return "Mend the value."
    owner = _model_at(model, error["loc"][:-1])
    known = sorted(owner.model_fields) if owner is not None else []
    near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    return f"{hint}Allowed there: {', '.join(known)}."


def _model_at(model: type[BaseModel], location: Sequence[Any]) -> type[BaseModel] | None:
    """The pydantic class that stands at a place within `model`; None where none does."""
    found: Any = model
    for part in location:
        if isinstance(found, type) and issubclass(found, BaseModel) and part in found.model_fields:
            found = _inner(found.model_fields[part].annotation)
        elif not (isinstance(found, type) and issubclass(found, BaseModel)):
            return None
        # else: a key of a dict or a place in a list: `found` is already what its values are
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _inner(annotation: Any) -> Any:
    """What a container holds, or an optional type is."""
    origin = typing.get_origin(annotation)
    if origin is None:
        return annotation
    parts = [a for a in typing.get_args(annotation) if a not in (type(None), Ellipsis)]
    if origin in (dict, typing.Mapping):
        return _inner(parts[1])
    if origin in (typing.Union, types.UnionType, tuple, list):
        models = [
            inner for inner in map(_inner, parts) if isinstance(inner, type) and issubclass(inner, BaseModel)
        ]
        return models[0] if models else None
    return None
