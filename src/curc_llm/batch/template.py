"""A template for prompts: a text with `{column}` in it, filled from a row."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curc_llm.batch.trouble import BatchInputError

_WORDS = 'Write {column} for a value, and {{ or }} for a brace, such as template="Summarise: {text}".'


@dataclass(frozen=True)
class Template:
    """A template that was read.

    Args:
        parts: literal text, and the column that follows with its format; the column is None at the end.
    """

    parts: tuple[tuple[str, str | None, str], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names, each once."""
        return tuple(dict.fromkeys(column for _, column, _ in self.parts if column is not None))

    def check_columns(self, known: Sequence[str]) -> None:
        """Makes sure that the rows have what it names.

        Raises:
            BatchInputError: they don't; the text lists what they have.
        """
        for column in self.columns:
            if column not in known:
                raise BatchInputError(
                    f"The template names {{{column}}}, and there is no such column.",
                    f"The columns are: {', '.join(map(str, known)) or 'none'}.",
                )

    def fill(self, row: Mapping[str, Any]) -> str:
        """The prompt for one row.

        Raises:
            ValueError: a value doesn't take the format that the template gives it.

        Example:
            >>> parse_template("{name} is {age:.0f}").fill({"name": "Ada", "age": 36.2})
            'Ada is 36'
        """
        texts = []
        for literal, column, form in self.parts:
            texts.append(literal)
            if column is not None:
                texts.append(format(row[column], form) if form else str(row[column]))
        return "".join(texts)


def parse_template(text: str) -> Template:
    """Reads a template. What is in braces is a column's whole name: nothing is called or looked up in it.

    Raises:
        BatchInputError: a brace is left open, or a place has no name, or there is no place at all.
    """
    if not isinstance(text, str):
        raise BatchInputError(f"The template is {type(text).__name__}, not a text.", _WORDS)
    try:
        found = list(string.Formatter().parse(text))
    except ValueError as error:
        raise BatchInputError(f"The template can't be read: {error}.", _WORDS) from None
    if any(name is not None and (not name or name.isdigit()) for _, name, _, _ in found):
        raise BatchInputError("The template has a place without a column's name.", _WORDS)
    if not any(name is not None for _, name, _, _ in found):
        raise BatchInputError("The template names no column, so all prompts would be the same.", _WORDS)
    return Template(tuple((literal, name, form or "") for literal, name, form, _ in found))
