"""Paragraphs that are too long for the browser are shown as several.

The page's Markdown is read by marked.js, whose reader of a paragraph takes time that grows with its square:
one of 35,000 characters of emphasis that never ends held Chromium for 68 s in a single frame, one of 20,000
pieces of code for 23 s (2026-11, of tests/data/hostile_outputs.yml, on a busy machine). No person writes
paragraphs of 650 words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curc_llm.chat.fences import read_fence

LONGEST_CHARS = 4000
# A line that is longer than that is cut into pieces of this size, at spaces.
PIECE_CHARS = 1000

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
# Lines without a blank one between them that are no paragraph: lists, tables, definitions of links, code. A
# model could write what only looks so, hence they have an end as well.
_OWN = re.compile(r"[ \t]*(?:[-*+][ \t]|\d{1,9}[.)][ \t]|\|)|[ \t]{2}|\[[^\]\n]+\]:")
LONGEST_OWN_CHARS = 32_000


def break_paragraphs(text: str, sign: str = "\n\n") -> str:
    r"""Puts a sign wherever a paragraph is too long. Code in fences stays as it is.

    Args:
        text: Markdown.
        sign: what begins a new paragraph.

    Example:
        >>> break_paragraphs("short"), break_paragraphs("word " * 1000).count("\n\n")
        ('short', 5)
    """
    if len(text) <= LONGEST_CHARS or max(map(len, _BLANK_LINE.split(text))) <= LONGEST_CHARS:
        return text
    return "\n".join(_break_lines(text.split("\n"), sign))


def _break_lines(lines: list[str], sign: str) -> Iterator[str]:
    fence, length = "", 0
    for line in lines:
        before, fence = fence, read_fence(fence, line)
        if before or fence:
            length = 0
            yield line
            continue
        most = LONGEST_OWN_CHARS if _OWN.match(line) else LONGEST_CHARS
        is_blank = not line.strip()
        is_new = bool(length) and not is_blank and length + len(line) >= most
        length = (0 if is_new else length) + len(line) + 1 if not is_blank else 0
        yield (sign if is_new else "") + (sign.join(_cut(line)) if len(line) > LONGEST_CHARS else line)


def _cut(line: str) -> Iterator[str]:
    start = 0
    while len(line) - start > PIECE_CHARS:
        space = line.rfind(" ", start + 1, start + PIECE_CHARS)
        end = space + 1 if space > 0 else min(start + LONGEST_CHARS, len(line))
        yield line[start:end]
        start = end
    yield line[start:]
