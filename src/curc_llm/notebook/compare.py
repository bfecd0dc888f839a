"""CompareWidget: one question to several models or settings, answers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from curc_llm.client.messages import make_messages
from curc_llm.client.pandas_package import import_pandas
from curc_llm.client.parameters import CHAT_PARAMETERS, check_parameters
from curc_llm.errors import CurcLlmError
from curc_llm.notebook.asking import Asking
from curc_llm.notebook.chat_frame import make_figures
from curc_llm.notebook.compare_column import OWN_PARAMETERS, Column, make_columns
from curc_llm.notebook.plain_text import render_plain
from curc_llm.notebook.reply import Reply
from curc_llm.notebook.reply_panel import ReplyPanel

if TYPE_CHECKING:
    import pandas as pd

    from curc_llm.client.session import Session


class CompareWidget(ReplyPanel):
    """Asks all at once and shows their answers in columns, with tokens per second.

    Args:
        session: who is asked where a column says nothing else.
        columns: 2 to 4 models' names, sessions, or settings such as `{"model": "a", "temperature": 0}`; the
            session's models, or two temperatures, when there are none.
        prompt: asked at once, if given.
        system: instructions for all.
        parameters: settings of all columns, such as `max_tokens`.

    Raises:
        ParameterError: there is no parameter of that name.
        SettingsError: the columns can't be compared.

    Example:
        >>> both = session.compare({"temperature": 0}, {"temperature": 1}, prompt="Why?")   # doctest: +SKIP
        >>> both.wait()                                                                     # doctest: +SKIP
        >>> both.to_frame()                                                                 # doctest: +SKIP
    """

    view = traitlets.Unicode("compare").tag(sync=True)

    def __init__(
        self,
        session: Session,
        *columns: Any,
        prompt: str = "",
        system: str | None = None,
        **parameters: Any,
    ) -> None:
        check_parameters(parameters, CHAT_PARAMETERS, others=OWN_PARAMETERS)
        self._columns = make_columns(session, columns)
        self._system, self._parameters = system, parameters
        self._question = ""
        self._askings: list[Asking] = []
        self._replies: list[Reply] = []
        self._rows: list[dict[str, Any]] = []
        self._last_id = 0
        super().__init__()
        self.on_action("ask", lambda data: self.ask((data or {}).get("text")))
        self.on_action("stop", lambda _: self.stop())
        if prompt:
            self.ask(prompt)
        else:
            self.show(now=True)

    @property
    def answers(self) -> dict[str, str]:
        """The latest answers by their column's label."""
        return {c.label: r.text for c, r in zip(self._columns, self._replies, strict=False)}

    @property
    def is_busy(self) -> bool:
        """True while an answer comes."""
        return any(not reply.is_over for reply in self._replies)

    def ask(self, text: Any) -> None:
        """Asks all of them; `wait` waits for the answers.

        Raises:
            CurcLlmError: answers are still coming, or there is no text.
        """
        if not isinstance(text, str) or not text.strip():
            raise CurcLlmError("The question is empty.", "Write something first.")
        if self.is_busy:
            raise CurcLlmError("Answers are still coming.", "Wait for them, or stop them.")
        self._keep_rows()
        self._question = text
        self._askings = [self._make_asking(column) for column in self._columns]
        self._replies = [asking.reply for asking in self._askings]
        self.show(now=True)
        for asking in self._askings:
            asking.start()

    def stop(self) -> None:
        """Ends the answers that are coming; what has come stays."""
        for asking in self._askings:
            asking.stop()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for all answers; False when the time was up first. Interrupting the kernel stops them."""
        try:
            return all(asking.wait(timeout_s) for asking in self._askings)
        except KeyboardInterrupt:
            self.stop()
            raise

    def to_frame(self) -> pd.DataFrame:
        """All that was asked here: one row a question and column."""
        pandas = import_pandas("to_frame()")
        frame: pd.DataFrame = pandas.DataFrame([*self._rows, *self._make_rows()])
        return frame

    def list_replies(self) -> Sequence[Reply]:
        """The answers to the latest question."""
        return self._replies

    def make_state(self) -> dict[str, Any]:
        """What the page shows."""
        return {
            "columns": [{"label": column.label, "detail": column.detail} for column in self._columns],
            "question": self._question,
            "replies": [reply.to_json() for reply in self._replies],
        }

    def render_text(self) -> str:
        """Question and answers as text."""
        if not self._question:
            return "A comparison: run this cell in a running notebook to use it."
        parts = [f"{label}: {text}" for label, text in self.answers.items()]
        return render_plain("\n\n".join([f"You: {self._question}", *parts]))

    def _make_asking(self, column: Column) -> Asking:
        self._last_id += 1
        parameters = {**self._parameters, **column.parameters}
        reply = Reply(self._last_id, model=column.model or "", parameters=parameters)
        system = column.system if column.system is not None else self._system
        return Asking(
            column.session,
            reply,
            make_messages(self._question, system),
            model=column.model,
            parameters=parameters,
            on_change=self.grow,
            on_end=lambda: self.show(now=True),
        )

    def _keep_rows(self) -> None:
        self._rows += self._make_rows()

    def _make_rows(self) -> list[dict[str, Any]]:
        return [
            {"question": self._question, "column": column.label, "answer": reply.text, **make_figures(reply)}
            for column, reply in zip(self._columns, self._replies, strict=False)
        ]
