"""Fact files: YAML by hand, with a source for each figure, into frozen typed objects.

Errors name the file, the line and what is allowed. Sites, catalogue and presets are such files; settings
use the same words for their errors.
"""

from __future__ import annotations

import datetime as dt
import difflib
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from curc_llm.errors import FactFileError

Facts = TypeVar("Facts", bound=BaseModel)


class Frozen(BaseModel):
    """Base of everything that is read from a fact file: unchangeable, and unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Source(Frozen):
    """Where a figure comes from.

    Args:
        title: name of the page, paper or file.
        url: its address.
        date: when it said so: the page's own date, else the day on which it was read.
        note: what a reader should know, such as "secondary source".
    """

    title: str
    url: str
    date: dt.date
    note: str = ""


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


def read_yaml(path: Path, what: str, *, may_be_empty: bool = False) -> tuple[str, dict[str, Any]]:
    """The text and the values of a YAML file that holds `name: value` lines.

    Args:
        path: the file.
        what: what it is, for errors: "site file".
        may_be_empty: a file without any value counts as one that sets nothing.

    Raises:
        FactFileError: it can't be read, isn't YAML, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise FactFileError(f"The {what} {path} can't be read: {error}.", "Check its path.") from error
    except yaml.constructor.ConstructorError as error:
        raise FactFileError(f"{path}{_place(error)}: {error.problem}.", "Mend that line.") from error
    except yaml.YAMLError as error:
        raise FactFileError(
            f"{path} isn't YAML: {' '.join(str(error).split())}.", "Mend that line."
        ) from error
    if values is None and may_be_empty:
        return text, {}
    if not isinstance(values, dict):
        raise FactFileError(
            f"{path} must hold `name: value` lines.", f"Look at a {what} that curc-llm ships."
        )
    return text, values


def _place(error: yaml.MarkedYAMLError) -> str:
    return f", line {error.problem_mark.line + 1}" if error.problem_mark else ""


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


def line_of(text: str, location: Sequence[str]) -> int:
    """The line of a value in a YAML text; of its nearest parent when it isn't there."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for name in location:
        if isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            node = node.value[int(name)]
            line = node.start_mark.line + 1
            continue
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == name:
                line, node = key.start_mark.line + 1, value
                break
    return line


def most_telling(errors: Sequence[Any]) -> Any:
    """The error to show: the first, unless it is a missing name that stands there misspelt."""
    first = errors[0]
    misspelt = (e for e in errors if e["type"] == "extra_forbidden" and e["loc"][:-1] == first["loc"][:-1])
    return next(misspelt, first) if first["type"] == "missing" else first


def explain(error: Any, kind: str = "") -> str:
    """One sentence for the first of pydantic's errors.

    Args:
        error: one of `ValidationError.errors()`.
        kind: what a name stands for, such as "setting"; empty where names stand for all sorts of things.
    """
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is {f'no {kind}' if kind else 'nothing'} named `{name}`."
    if error["type"] == "missing":
        return f"`{name}` is missing."
    return f"`{name}` can't be {error['input']!r}: {error['msg'].lower()}."


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


# The C parser reads the catalogue eight times as fast; PyYAML may have been built without it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeyLoader(_Loader):  # type: ignore[misc]
    """A key that stands twice is a slip: YAML itself would take the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"`{key}` stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
