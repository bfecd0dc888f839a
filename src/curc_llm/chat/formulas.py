"""Finds LaTeX formulas in prose, in linear time: the text is a model's, and may be hostile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_FORMULA_CHARS = 4000

_OPENING = re.compile(
    r"\\\(|\\\[|\$\$|(?<![\\$\w])\$(?![\s$])|\\begin\{(?P<name>(?:equation|align|gather|multline)\*?)\}"
)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
# In single dollars a formula ends with something, and no digit follows (Pandoc's rule): "$5 or $10" is money.
_DOLLAR_BODY = re.compile(r"(?:\\.|[^$\n\\])*(?<![\s\\])\$(?![\d$])")


@dataclass(frozen=True)
class Formula:
    """A formula and where it stands.

    Args:
        start, end: its place in the text, delimiters included.
        body: LaTeX without delimiters (an environment keeps its own).
        is_display: True for one on a line of its own.
    """

    start: int
    end: int
    body: str
    is_display: bool


def find_formulas(text: str) -> Iterator[Formula]:
    r"""Yields the formulas of a text without code: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and some environments.

    Example:
        >>> [formula.body for formula in find_formulas(r"Let \(x\) cost $5.")]
        ['x']
    """
    end = 0
    while opening := _OPENING.search(text, end):
        formula = _read_formula(text, opening)
        end = formula.end if formula else opening.end()
        if formula:
            yield formula


def _read_formula(text: str, opening: re.Match[str]) -> Formula | None:
    start, body_start = opening.span()
    if opening["name"]:
        closer = f"\\end{{{opening['name']}}}"
        end = text.find(closer, body_start, body_start + MAX_FORMULA_CHARS)
        stop = end + len(closer)
        return None if end < 0 else Formula(start, stop, text[start:stop], is_display=True)
    if opening[0] == "$":
        match = _DOLLAR_BODY.match(text, body_start, body_start + MAX_FORMULA_CHARS)
        return None if match is None else Formula(start, match.end(), match[0][:-1], is_display=False)
    return _read_delimited(text, opening[0], start, body_start)


def _read_delimited(text: str, opener: str, start: int, body_start: int) -> Formula | None:
    closer = {"$$": "$$", r"\(": r"\)", r"\[": r"\]"}[opener]
    end = text.find(closer, body_start, body_start + MAX_FORMULA_CHARS)
    body = text[body_start:end]
    if end < 0 or not body.strip() or (opener == r"\(" and _BLANK_LINE.search(body)):
        return None
    return Formula(start, end + 2, body, is_display=opener != r"\(")
