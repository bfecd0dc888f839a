"""Asks, and shows the answer while it is written: as Markdown where widgets work, else as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from curc_llm.client.answer import Answer
from curc_llm.client.session import Session

if TYPE_CHECKING:
    from curc_llm.notebook.reply import Reply

# C0 and C1 control characters but line feed and tab: a terminal would obey them instead of showing them.
_CONTROLS = {code: "�" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_CONTROLS[ord("\r")] = ""
CUT = "(The answer was cut off at its limit; --max-tokens N sets another.)"


class ShownAnswer(Protocol):
    """An answer that is shown while it comes."""

    @property
    def answer(self) -> Answer:
        """What has come so far."""

    def run(self, session: Session, prompt: str, parameters: Mapping[str, Any]) -> None:
        """Asks, and returns when the answer is whole.

        Args:
            session: who is asked.
            prompt: as for `session.stream`.
            parameters: what else `session.stream` takes.

        Raises:
            CurcLlmError: it can't be answered, or the answer broke off.
            KeyboardInterrupt: somebody interrupted it; the engine has stopped, too.
        """


def make_shown_answer(shell: Any) -> ShownAnswer:
    """The best that this shell can show.

    Args:
        shell: IPython's. In a kernel there are widgets, where their packages are installed.
    """
    if getattr(shell, "kernel", None) is None:
        return TextAnswer()
    try:
        return MarkdownAnswer()
    except ModuleNotFoundError:
        return TextAnswer()


class TextAnswer:
    """Prints the pieces one after the other; reasoning is left out."""

    def __init__(self) -> None:
        self.answer = Answer()

    def run(self, session: Session, prompt: str, parameters: Mapping[str, Any]) -> None:
        """Asks, and prints."""
        try:
            with session.stream(prompt, **parameters) as stream:
                try:
                    for text in stream:
                        sys.stdout.write(text.translate(_CONTROLS))
                        sys.stdout.flush()
                finally:
                    self.answer = stream.answer
        finally:
            sys.stdout.write("\n" if self.answer else "")
        if self.answer.finish_reason == "length":
            sys.stdout.write(f"{CUT}\n")


class MarkdownAnswer:
    """Draws it in a widget, which has a button to stop it.

    Raises:
        ModuleNotFoundError: the widgets' packages aren't installed.
    """

    def __init__(self) -> None:
        from curc_llm.notebook.markdown import MarkdownView

        self._view = MarkdownView()

    @property
    def answer(self) -> Answer:
        """What has come so far."""
        return make_answer(self._view.reply)

    def run(self, session: Session, prompt: str, parameters: Mapping[str, Any]) -> None:
        """Asks, and draws."""
        from IPython import display

        publish: Any = display.display  # it has no types
        shown = publish(self._view, display_id=True)
        try:
            self._view.ask(session, prompt, **parameters)
            self._view.wait()
        finally:
            # What a saved or converted notebook has where there are no widgets: the text as it is now.
            shown.update(self._view)
        if self._view.reply.trouble is not None:
            raise self._view.reply.trouble


def make_answer(reply: Reply) -> Answer:
    """The answer that a widget has shown."""
    return Answer(
        reply.text,
        reasoning=reply.thought,
        usage=reply.usage,
        finish_reason=reply.finish_reason,
        model=reply.model,
    )
