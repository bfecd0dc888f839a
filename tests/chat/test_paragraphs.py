from __future__ import annotations

import re

import pytest

from curc_llm.chat.markup import parse_markdown, render_own_markdown
from curc_llm.chat.paragraphs import LONGEST_CHARS, break_paragraphs
from curc_llm.chat.pieces import render_pieces

GIANTS = {
    "code": "`x` " * 20_000,
    "words": "**a *b " * 5000,
    "no space": "**a*b" * 8000,
    "lines": "word\n" * 9000,
    "a quote": "> " + "*a_b " * 8000,
    "quotes": "> *a_b\n" * 4000,
}


def longest_paragraph(text: str) -> int:
    return max(map(len, re.split(r"\n[ \t]*\n", text)))


@pytest.mark.parametrize("name", list(GIANTS))
def test_no_paragraph_is_longer_than_a_browser_reads_at_once(name: str) -> None:
    giant = GIANTS[name]
    lengths = [longest_paragraph(break_paragraphs(giant))]
    # Nor is one that follows code without a blank line.
    lengths += [longest_paragraph(break_paragraphs(f"```\nx\n```\n{giant}"))]
    lengths += [longest_paragraph(piece) for piece in render_pieces(giant)]
    assert max(lengths) < LONGEST_CHARS + 100


@pytest.mark.parametrize(
    "text",
    [
        "Short.",
        "A paragraph. " * 300,
        "".join(f"[{number}]: https://example.org/{number}\n" for number in range(400)),
        "\n".join(f"- item {number} of a long list" for number in range(500)),
        "\n".join(f"| {number} | a cell |" for number in range(500)),
        "```python\n" + "x = 1  # " * 2000 + "\n```",
        "    indented\n" * 2000,
    ],
)
def test_what_people_and_models_write_stays_as_it_is(text: str) -> None:
    is_same = break_paragraphs(text) == text
    assert is_same


def test_a_broken_paragraph_grows_at_its_end_alone() -> None:
    giant = "some words and *more* of them, " * 1000
    whole = break_paragraphs(giant)
    for length in (5000, 9000, 20_000):
        part = break_paragraphs(giant[:length])
        is_beginning = whole.startswith(part[: part.rfind("\n\n")])
        assert is_beginning


def test_what_a_person_edits_is_what_they_wrote() -> None:
    pasted = 'Look: {"a": [1, 2], "b": "<x>"}, ' * 900 + "$x$\n\nAnd this."
    is_same = parse_markdown(render_own_markdown(pasted)) == pasted
    assert is_same
