"""The one place that prints: data on standard output, talk and errors on standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click

# C0 and C1 control characters but line feed and tab. A model's answer or a file's name could otherwise move
# the cursor, rename the window, or write into the clipboard (ECMA-48 sequences begin with one of these).
_CONTROLS = {code: "�" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_CONTROLS[ord("\r")] = ""


def make_printable(text: str) -> str:
    """The text without characters that a terminal would obey instead of show.

    Example:
        >>> make_printable("a\\x1b[2Jb")
        'a�[2Jb'
    """  # noqa: D301
    return text.translate(_CONTROLS)


class Output:
    """Where a verb writes to.

    Args:
        as_json: write data as JSON instead of for people.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def data(self, text: str, value: Any, footnote: str = "") -> None:
        """Writes the verb's result: `text` for people and below it a dim footnote, or `value` as JSON."""
        shown = json.dumps(value, ensure_ascii=False) if self.as_json else make_printable(text)
        if shown:
            click.echo(shown)
        if footnote and not self.as_json:
            click.echo(f"\n{_dim(make_printable(footnote))}")

    def say(self, text: str) -> None:
        """Writes talk, which no script reads."""
        click.echo(make_printable(text), err=True)


def print_error(message: str, remedy: str = "") -> None:
    """Writes an error and, below it, what to do."""
    click.echo(make_printable(f"Error: {message}"), err=True)
    if remedy:
        click.echo(make_printable(f"       {remedy}"), err=True)


def write_piece(text: str) -> None:
    """Writes a piece of an answer at once; made printable when a person looks at it, untouched in a pipe."""
    sys.stdout.write(make_printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def render_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns with two spaces between them; each cell on one line.

    Example:
        >>> print(render_table(["A", "B"], [["long", "x"]]))
        A     B
        long  x
    """
    cells = [[" ".join(make_printable(cell).split()) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def choose_fitting(texts: Iterable[str], columns: int | None) -> str:
    """The first text whose lines are at most `columns` wide, else the last; None: the first.

    Example:
        >>> choose_fitting(["a long one", "short"], 6)
        'short'
    """
    chosen = ""
    for chosen in texts:
        if columns is None or max(map(len, chosen.splitlines()), default=0) <= columns:
            break
    return chosen


def fold(text: str, columns: int | None, indent: str = "") -> str:
    """The text in lines of at most `columns`, those after the first indented; None: one line."""
    if columns is None:
        return text
    lines = textwrap.wrap(
        text, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


def screen_columns() -> int | None:
    """Columns of the terminal that a table has to fit into; None in a pipe, where nothing is folded."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _dim(text: str) -> str:
    """The text in a fainter colour where a person looks at it and didn't refuse colours (no-color.org)."""
    return click.style(text, dim=True) if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def render_pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values below each other, indented by two."""
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in pairs)
