"""The columns that answers become: one for each field of a schema's object, with the type that it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curc_llm.batch.trouble import BatchInputError

ANSWER = "answer"
EMBEDDING = "embedding"
ERROR = "error"
FINISH_REASON = "finish_reason"
# JSON's types as pandas' own that know of missing values; anything else stays as Python made it.
_DTYPES = {"integer": "Int64", "number": "Float64", "boolean": "boolean", "string": "string"}


@dataclass(frozen=True)
class Field:
    """A column of the results.

    Args:
        name: the column's name.
        json_type: JSON's type of its values; empty when it may be anything.
        choices: the texts that it may be, for a schema's `enum`; empty when there are none.
    """

    name: str
    json_type: str = ""
    choices: tuple[str, ...] = field(default=())

    @property
    def dtype(self) -> str:
        """Which type of pandas; `object` when there is none of its own."""
        return _DTYPES.get(self.json_type, "object")


@dataclass(frozen=True)
class Columns:
    """The columns of a batch's answers, without those of errors.

    Args:
        fields: the columns.
        is_object: each is a part of an answer that is a JSON object; else the only one is the whole answer.
    """

    fields: tuple[Field, ...]
    is_object: bool = False

    @property
    def names(self) -> list[str]:
        """All names, with those of errors."""
        return [*(f.name for f in self.fields), ERROR, FINISH_REASON]

    def split(self, value: Any) -> list[Any]:
        """An answer's values, one for each column; None where it has none."""
        if not self.is_object:
            return [value]
        return [value.get(f.name) if isinstance(value, Mapping) else None for f in self.fields]


def make_columns(definition: Mapping[str, Any] | None, *, is_vector: bool = False) -> Columns:
    """The columns of a batch's answers.

    Args:
        definition: the JSON schema; None for plain texts.
        is_vector: the answers are vectors.

    Example:
        >>> schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
        >>> make_columns(schema).fields
        (Field(name='age', json_type='integer', choices=()),)
    """
    if is_vector:
        return Columns((Field(EMBEDDING),))
    if definition is None:
        return Columns((Field(ANSWER, "string"),))
    properties = _resolve(definition, definition).get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return Columns((_make_field(ANSWER, definition, definition),))
    parts = tuple(_make_field(str(name), part, definition) for name, part in properties.items())
    return Columns(parts, is_object=True)


def _make_field(name: str, part: Any, whole: Mapping[str, Any]) -> Field:
    part = _resolve(part, whole)
    choices = part.get("enum") or ([part["const"]] if "const" in part else [])
    if choices and all(isinstance(choice, str) for choice in choices):
        return Field(name, "string", tuple(choices))
    kind = part.get("type")
    if isinstance(kind, list):  # such as ["integer", "null"]
        others = [k for k in kind if k != "null"]
        kind = others[0] if len(others) == 1 else ""
    return Field(name, kind if isinstance(kind, str) else "")


def _resolve(part: Any, whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the schema with its reference followed, and `X or null` taken as X."""
    for _ in range(8):  # references may go round
        if not isinstance(part, Mapping):
            return {}
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            part = _look_up(reference, whole)
            continue
        options = [o for o in part.get("anyOf") or () if isinstance(o, Mapping) and o.get("type") != "null"]
        if len(options) == 1:
            part = options[0]
            continue
        return part
    return {}


def _look_up(reference: str, whole: Mapping[str, Any]) -> Any:
    found: Any = whole
    for name in reference.removeprefix("#/").split("/"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def check_names(columns: Columns, present: Sequence[str]) -> None:
    """Makes sure that no column of the answers has the name of one of the rows.

    Raises:
        BatchInputError: one has. Nothing was sent yet, so that it costs nothing to mend.
    """
    names = columns.names
    if len(set(names)) < len(names):
        raise BatchInputError(
            f"The schema may not have the fields {ERROR!r} and {FINISH_REASON!r}: the results have them.",
            "Name them otherwise.",
        )
    for name in names:
        if name in present:
            raise BatchInputError(
                f"The rows have a column {name!r} already, and the results need that name.",
                f"Rename it first, such as frame.rename(columns={{{name!r}: 'my_{name}'}}).",
            )
