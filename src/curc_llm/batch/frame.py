"""The rows of a DataFrame or Series as prompts. pandas is imported by who brings a frame, not here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curc_llm.batch.cells import CellPrompts, choose_column
from curc_llm.batch.template import Template
from curc_llm.batch.trouble import BatchInputError

SHOWN_LABELS = 3


def is_frame(value: Any) -> bool:
    """Whether it is a pandas DataFrame."""
    return type(value).__name__ == "DataFrame" and hasattr(value, "columns") and hasattr(value, "iloc")


def is_series(value: Any) -> bool:
    """Whether it is a pandas Series."""
    return type(value).__name__ == "Series" and hasattr(value, "to_frame") and hasattr(value, "iloc")


def make_frame_prompts(frame: Any, column: str | None, template: Template | None) -> CellPrompts:
    """The prompts of a frame's rows, in its order; its index may hold anything, even the same label twice.

    Raises:
        BatchInputError: a column is missing, twice there, or empty in some rows.
    """
    names = list(frame.columns)
    by_name = {str(name): name for name in names}
    chosen = choose_column([str(name) for name in names], column, template)
    needed = template.columns if template is not None else (str(chosen),)
    for name in needed:
        if [str(n) for n in names].count(name) > 1:
            raise BatchInputError(f"The frame has the column {name!r} twice.", "Rename one of them.")
        _check_whole(frame, by_name[name])

    def open_rows() -> Iterator[dict[str, Any]]:
        for values in zip(*(frame[by_name[name]] for name in needed), strict=True):
            yield dict(zip(needed, values, strict=True))

    def place(index: int) -> str:
        return f"row {index} (index {show_label(frame.index[index])})"

    return CellPrompts(open_rows, chosen, template, place, "Leave such rows out.")


def show_label(label: Any) -> str:
    """A label of an index as people write it: numpy's numbers say their type since numpy 2."""
    return repr(label.item() if hasattr(label, "item") else label)


def _check_whole(frame: Any, name: Any) -> None:
    empty = frame[name].isna()
    count = int(empty.sum())
    if not count:
        return
    labels = ", ".join(show_label(label) for label in frame.index[empty][:SHOWN_LABELS])
    more = " ..." if count > SHOWN_LABELS else ""
    raise BatchInputError(
        f"Column {str(name)!r} is empty (NaN) in {count:,} of {len(frame):,} rows: index {labels}{more}.",
        f"Leave them out: frame.dropna(subset=[{str(name)!r}]), or fill them: .fillna('').",
    )
