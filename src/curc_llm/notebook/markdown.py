"""MarkdownView: one answer in the output of a cell, drawn as Markdown while it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from curc_llm.client.messages import Prompt, make_messages
from curc_llm.notebook.asking import Asking
from curc_llm.notebook.plain_text import render_plain
from curc_llm.notebook.reply import Phase, Reply
from curc_llm.notebook.reply_panel import ReplyPanel

if TYPE_CHECKING:
    from curc_llm.client.answer import Answer
    from curc_llm.client.session import Session
    from curc_llm.client.stream import Piece


class MarkdownView(ReplyPanel):
    """Shows a model's text: Markdown, formulas, code. Nothing in it is run or fetched.

    Give it pieces as they come (`add`, `finish`), a whole text (`text=`), or let it ask (`ask`).

    Args:
        text: what it shows at first.

    Example:
        >>> view = MarkdownView("# Hello: $x^2$")                        # doctest: +SKIP
        >>> MarkdownView().ask(session, "Derive the sample variance.")   # doctest: +SKIP
    """

    view = traitlets.Unicode("markdown").tag(sync=True)

    def __init__(self, text: str = "") -> None:
        self._reply = Reply()
        self._asking: Asking | None = None
        super().__init__()
        self.on_action("stop", lambda _: self.stop())
        if text:
            self._reply.add("text", text)
            self._reply.phase, self._reply.deltas = Phase.DONE, 0
        self.show(now=True)

    @property
    def text(self) -> str:
        """The text so far. Setting it shows another one, or the same one grown."""
        return self._reply.text

    @text.setter
    def text(self, text: str) -> None:
        known = self._reply.text
        if text.startswith(known) and not self._reply.is_over:
            self._reply.add("text", text[len(known) :])
            self.grow()
        else:
            self._reply = Reply()
            self._reply.add("text", text)
            self.show(now=True)

    @property
    def reply(self) -> Reply:
        """The answer with its figures."""
        return self._reply

    def add(self, piece: Piece) -> None:
        """The next piece of an answer."""
        self._reply.add(piece.kind, piece.text)
        self.grow()

    def finish(self, answer: Answer | None = None) -> None:
        """Nothing more will come.

        Args:
            answer: the whole, for its figures; None when it was broken off.
        """
        if answer is None:
            self._reply.stop()
        else:
            self._reply.finish(answer)
        self.show(now=True)

    def ask(
        self,
        session: Session,
        prompt: Prompt,
        *,
        model: str | None = None,
        system: str | None = None,
        **parameters: Any,
    ) -> MarkdownView:
        """Asks a session and shows the answer while it comes; returns at once, `wait` waits for the end.

        Args:
            session: who is asked.
            prompt: the question, or a conversation.
            model: served model name; the session's first when not given.
            system: instructions for the model.
            **parameters: as for `session.chat`.
        """
        self.stop()
        self._reply = Reply()
        self._start(session, make_messages(prompt, system), model, parameters)
        return self

    def _start(
        self,
        session: Session,
        messages: Sequence[Mapping[str, Any]],
        model: str | None,
        parameters: Mapping[str, Any],
    ) -> None:
        self._asking = Asking(
            session,
            self._reply,
            messages,
            model=model,
            parameters=parameters,
            on_change=self.grow,
            on_end=lambda: self.show(now=True),
        )
        self.show(now=True)
        self._asking.start()

    def stop(self) -> None:
        """Ends the answer; what has come stays."""
        if self._asking is not None:
            self._asking.stop()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the answer's end; interrupting the kernel stops it. False when the time was up first."""
        if self._asking is None:
            return True
        try:
            return self._asking.wait(timeout_s)
        except KeyboardInterrupt:
            self.stop()
            raise

    def list_replies(self) -> Sequence[Reply]:
        """The one answer."""
        return [self._reply]

    def make_state(self) -> dict[str, Any]:
        """What the page shows."""
        return {"reply": self._reply.to_json(), "can_stop": self._asking is not None}

    def render_text(self) -> str:
        """The text itself; of an answer that failed, why."""
        reply = self._reply
        return render_plain(reply.text or (str(reply.trouble) if reply.trouble else "")) or "…"
