"""Shows an answer while it is written: as Markdown where widgets work, else as text."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from curc_llm.client.answer import Answer
    from curc_llm.client.stream import Piece

# C0 and C1 control characters but line feed and tab: a terminal would obey them instead of showing them.
_CONTROLS = {code: "�" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_CONTROLS[ord("\r")] = ""
UPDATE_EVERY_S = 0.1
CUT = "(The answer was cut off at its limit: --max-tokens N sets it.)"


class AnswerView(Protocol):
    """Where an answer is shown."""

    def add(self, piece: Piece) -> None:
        """The next piece."""

    def finish(self, answer: Answer) -> None:
        """The answer is whole."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_view(shell: Any) -> AnswerView:
    """The best that this shell can show.

    Args:
        shell: IPython's. In a kernel there are widgets, where their packages are installed.
    """
    if getattr(shell, "kernel", None) is None:
        return TextView()
    try:
        return MarkdownAnswer()
    except ModuleNotFoundError:
        return TextView()


class TextView:
    """Prints the pieces one after the other."""

    def add(self, piece: Piece) -> None:
        """Prints a piece of text; reasoning is left out."""
        if piece.kind == "text":
            sys.stdout.write(piece.text.translate(_CONTROLS))
            sys.stdout.flush()

    def finish(self, answer: Answer) -> None:
        """Ends the line, and says so when the answer isn't whole."""
        sys.stdout.write(f"\n{CUT}\n" if answer.finish_reason == "length" else "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            sys.stdout.write("\n")


class MarkdownAnswer:
    """A widget that shows the text so far, ten times a second at most.

    Raises:
        ModuleNotFoundError: the widgets' packages aren't installed.
    """

    def __init__(self) -> None:
        from curc_llm.notebook.markdown import MarkdownView

        self._view = MarkdownView()
        self._texts: list[str] = []
        self._shown_at = 0.0

    def add(self, piece: Piece) -> None:
        """Keeps the piece, and shows it with the next update."""
        if piece.kind == "text":
            self._texts.append(piece.text)
        if time.monotonic() - self._shown_at >= UPDATE_EVERY_S:
            self._show()

    def finish(self, answer: Answer) -> None:
        """Shows the whole answer."""
        if answer.finish_reason == "length":
            self._texts.append(f"\n\n*{CUT}*")

    def __enter__(self) -> Self:
        from IPython.display import display

        display(self._view)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show()

    def _show(self) -> None:
        self._view.text = "".join(self._texts)
        self._shown_at = time.monotonic()
