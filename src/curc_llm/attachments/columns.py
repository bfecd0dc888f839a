"""What stands in a table's columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_EMPTY = {"", "na", "n/a", "nan", "null", "none", "-", "."}
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[T ]\d{1,2}:\d{2}.*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}(?: .*)?")
_BOOLEANS = {"true", "false", "yes", "no"}
_MOST_DISTINCT = 6
_VALUE_CHARS = 40


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: from the header, or `column 3`.
        kind: `integer`, `number`, `date`, `true/false`, `text` or `empty`.
        num_empty: cells without a value.
        detail: range or values, in words; may be empty.
    """

    name: str
    kind: str
    num_empty: int
    detail: str

    @property
    def text(self) -> str:
        """In one line.

        Example:
            >>> Column("age", "integer", 2, "18 to 93").text
            '- age: integer, 18 to 93; 2 empty'
        """
        detail = f", {self.detail}" if self.detail else ""
        empty = f"; {self.num_empty:,} empty" if self.num_empty and self.kind != "empty" else ""
        return f"- {self.name}: {self.kind}{detail}{empty}"


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: all cells filled, none a number, no two alike.

    Example:
        >>> has_header([["age", "sex"], ["18", "f"]]), has_header([["18", "f"]])
        (True, False)
    """
    if not rows:
        return False
    cells = [cell.strip() for cell in rows[0]]
    is_named = all(cells) and not any(_NUMBER.fullmatch(cell) for cell in cells)
    return is_named and len(set(cells)) == len(cells)


def describe_column(name: str, values: Iterable[str]) -> Column:
    """A column by its cells.

    Example:
        >>> describe_column("x", ["1", "2.5", ""]).text
        '- x: number, 1 to 2.5; 1 empty'
    """
    stripped = [value.strip() for value in values]
    filled = [value for value in stripped if value.lower() not in _EMPTY]
    kind = _find_kind(filled)
    return Column(name, kind, len(stripped) - len(filled), _describe(kind, filled))


def _find_kind(values: Sequence[str]) -> str:
    if not values:
        return "empty"
    if all(map(_INTEGER.fullmatch, values)):
        return "integer"
    if all(map(_NUMBER.fullmatch, values)):
        return "number"
    if all(value.lower() in _BOOLEANS for value in values):
        return "true/false"
    return "date" if all(map(_DATE.fullmatch, values)) else "text"


def _describe(kind: str, values: Sequence[str]) -> str:
    if kind in {"integer", "number"}:
        return f"{min(values, key=float)} to {max(values, key=float)}"
    distinct = list(dict.fromkeys(values[:10_000]))
    if kind == "text" and len(distinct) <= _MOST_DISTINCT and len(values) > len(distinct):
        return f"one of {', '.join(repr(value[:_VALUE_CHARS]) for value in distinct)}"
    return ""
