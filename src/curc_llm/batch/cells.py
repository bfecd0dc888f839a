"""Prompts from rows that have columns: files' and frames' rows alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curc_llm.batch.template import Template
from curc_llm.batch.trouble import BatchInputError

Row = Mapping[str, Any]


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None, NaN, NaT, pandas' NA.

    Example:
        >>> is_missing(float("nan")), is_missing(""), is_missing(0)
        (True, False, False)
    """
    if value is None:
        return True
    if isinstance(value, str):
        return False
    try:
        return bool(value != value)  # only NaN and its like differ from themselves
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


@dataclass(frozen=True)
class CellPrompts:
    """The prompts of rows with columns.

    Args:
        open_rows: begins with the rows anew; one without a column that is named is told.
        column: where the prompt itself stands; None where a template makes it.
        template: makes the prompt from a row.
        place: says where a row is, such as `line 3 of notes.csv`.
        remedy: what to do about an empty cell.
    """

    open_rows: Callable[[], Iterable[Row]]
    column: str | None
    template: Template | None
    place: Callable[[int], str]
    remedy: str

    def __call__(self) -> Iterator[str]:
        """Begins with the prompts anew."""
        for index, row in enumerate(self.open_rows()):
            for column in self._columns:
                if column not in row:
                    raise BatchInputError(
                        f"There is no column {column!r} in {self.place(index)}; it has {_list(list(row))}.",
                        "Mend that row, or leave it out.",
                    )
                if is_missing(row[column]):
                    raise BatchInputError(
                        f"Column {column!r} is empty (NaN) in {self.place(index)}.", self.remedy
                    )
            yield self._make(index, row)

    @property
    def _columns(self) -> tuple[str, ...]:
        return self.template.columns if self.template is not None else (self.column or "",)

    def _make(self, index: int, row: Row) -> str:
        if self.template is None:
            value = row[self.column or ""]
            if not isinstance(value, str):
                raise BatchInputError(
                    f"Column {self.column!r} holds {type(value).__name__} and no text: {self.place(index)}.",
                    f'Give template="... {{{self.column}}} ..." to make a text of it.',
                )
            return value
        try:
            return self.template.fill(row)
        except (ValueError, TypeError) as error:
            raise BatchInputError(
                f"The template can't be filled for {self.place(index)}: {error}.", "Mend its format."
            ) from None


def choose_column(columns: list[str], column: str | None, template: Template | None) -> str | None:
    """The column that holds the prompts; None when a template makes them.

    Raises:
        BatchInputError: there is no such column, or it isn't clear which.
    """
    if template is not None:
        if column is not None:
            raise BatchInputError(
                "Both a prompt column and a template are given.", "Leave one out; a template names columns."
            )
        template.check_columns(columns)
        return None
    if column is not None:
        if column not in columns:
            raise BatchInputError(f"There is no column {column!r}.", f"The columns are: {_list(columns)}.")
        return column
    if len(columns) == 1:
        return columns[0]
    known = [name for name in columns if str(name).lower() in {"prompt", "text", "question"}]
    if len(known) == 1:
        return known[0]
    raise BatchInputError(
        f"It isn't clear which column holds the prompts: {_list(columns)}.",
        'Name it (--prompt-column, prompt_column=), or give a template such as "Summarise: {text}".',
    )


def _list(columns: list[str]) -> str:
    return ", ".join(map(str, columns)) or "none"
