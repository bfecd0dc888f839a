"""A long answer in pieces that are shown one after the other, cut between blocks of Markdown.

Gradio reads a whole message anew with each update. In pieces it reads the one that grows: an answer of 20,000
tokens stays smooth, and the server renders the earlier ones once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from curc_llm.chat.fences import read_fence
from curc_llm.chat.formulas import MAX_FORMULA_CHARS
from curc_llm.chat.markup import render_markdown
from curc_llm.chat.paragraphs import break_paragraphs

PIECE_CHARS = 2000
# Definitions of links hold for all of an answer, so each piece is given them; with more it stays whole.
MAX_DEFINITION_CHARS = 4000

# A line that can't go on with a list: known by its first character, so that a cut stays where it is.
_FRESH = re.compile(r"[^\s\-*+\d]")
_DEFINITION = re.compile(r" {0,3}\[[^\]\n]+\]:[ \t]*\S")
_MATHS = re.compile(r"\$\$|\\[\[\]]|\\(?:begin|end)\{")


@dataclass
class _State:
    """What is open at the end of a line.

    Args:
        fence: of the code; empty outside.
        maths: of a displayed formula; empty outside.
        maths_chars: of the formula so far; one that never ends isn't one.
    """

    fence: str = ""
    maths: str = ""
    maths_chars: int = 0

    @property
    def is_open(self) -> bool:
        """True where a cut would break something."""
        return bool(self.fence or self.maths)

    def read(self, line: str) -> None:
        """Takes the next line."""
        before, self.fence = self.fence, read_fence(self.fence, line)
        if before or self.fence:
            return
        self.maths_chars += len(line)
        if self.maths_chars > MAX_FORMULA_CHARS:
            self.maths = ""
        for sign in _MATHS.findall(line):
            self._read_sign(sign)

    def _read_sign(self, sign: str) -> None:
        if self.maths:
            self.maths = "" if sign == _CLOSERS[self.maths] else self.maths
        elif sign in _CLOSERS:
            self.maths, self.maths_chars = sign, 0


_CLOSERS = {"$$": "$$", "\\[": "\\]", "\\begin{": "\\end{"}


def split_pieces(text: str) -> list[str]:
    r"""The pieces of an answer; while it grows, only the last one changes.

    Example:
        >>> split_pieces("a\n\nb")
        ['a\n\nb']
    """
    cuts, state = [0], _State()
    position, is_after_blank = 0, False
    for line in text.split("\n"):
        is_far = position - cuts[-1] >= PIECE_CHARS
        if is_far and is_after_blank and not state.is_open and _FRESH.match(line):
            cuts.append(position)
            state = _State()
        state.read(line)
        is_after_blank = not line.strip()
        position += len(line) + 1
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def render_pieces(text: str) -> list[str]:
    """The Markdown of each piece, as `render_markdown` makes it.

    Args:
        text: as the model wrote it.
    """
    if len(text) <= PIECE_CHARS:
        return [render_markdown(text)]
    text = break_paragraphs(text)
    definitions = "\n".join(line for line in text.split("\n") if _DEFINITION.match(line))
    if len(definitions) > MAX_DEFINITION_CHARS:
        return [render_markdown(text)]
    pieces = split_pieces(text)
    more = f"\n\n{definitions}" if definitions and len(pieces) > 1 else ""
    return [
        *(_render(piece.rstrip("\n") + more) for piece in pieces[:-1]),
        render_markdown(pieces[-1] + more),
    ]


@lru_cache(maxsize=256)
def _render(piece: str) -> str:
    return render_markdown(piece)
