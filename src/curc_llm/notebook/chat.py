"""ChatWidget: a conversation with a session's model, in the notebook."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from curc_llm.client.parameters import CHAT_PARAMETERS, check_parameters
from curc_llm.errors import CurcLlmError
from curc_llm.notebook.asking import Asking
from curc_llm.notebook.chat_file import make_chat_path
from curc_llm.notebook.chat_frame import make_chat_frame
from curc_llm.notebook.chat_keeping import Keeping, find_state_dir, make_lines
from curc_llm.notebook.chat_settings import ChatSettings, split_parameters
from curc_llm.notebook.conversation import Conversation
from curc_llm.notebook.plain_text import render_plain
from curc_llm.notebook.reply import Reply
from curc_llm.notebook.reply_panel import ReplyPanel
from curc_llm.notebook.served import Served, look_up_served

if TYPE_CHECKING:
    import pandas as pd

    from curc_llm.client.session import Session

OWN_PARAMETERS = ("model", "system", "title", "file")
MAX_MESSAGE_CHARS = 2_000_000


class ChatWidget(ReplyPanel):
    """A chat. Type in it, or ask from code; the kernel stays free while answers come.

    Args:
        session: who is asked.
        model: served model name; the session's first when not given.
        system: instructions for the model.
        title: shown above it.
        file: a chat that was saved before; it goes on from there and is kept there.
        parameters: temperature and what else `session.chat` takes.

    Raises:
        ParameterError: there is no parameter of that name.
        SettingsError: a parameter can't have that value.

    Example:
        >>> chat = session.chat_widget(system="Be brief.", temperature=0.2)    # doctest: +SKIP
        >>> chat.ask("What is an SU?")                                         # doctest: +SKIP
        >>> chat.wait()                                                        # doctest: +SKIP
        >>> chat.messages[-1]["content"]                                       # doctest: +SKIP
    """

    view = traitlets.Unicode("chat").tag(sync=True)

    def __init__(
        self,
        session: Session,
        *,
        model: str | None = None,
        system: str = "",
        title: str = "",
        file: str | os.PathLike[str] | None = None,
        **parameters: Any,
    ) -> None:
        check_parameters(parameters, CHAT_PARAMETERS, others=OWN_PARAMETERS)
        shown, self._others = split_parameters(parameters)
        self._settings = ChatSettings().change({"model": model, "system": system, **shown})
        self._session, self._title = session, title
        self._talk = Conversation()
        self._asking: Asking | None = None
        self._changing = threading.RLock()
        self._keeping = Keeping()
        self._served = Served()
        if file is not None:
            self._load(Path(file).expanduser())
        super().__init__()
        for name, act in {
            "send": lambda data: self.ask((data or {}).get("text")),
            "stop": lambda _: self.stop(),
            "retry": lambda _: self.retry(),
            "clear": lambda _: self.clear(),
            "save": lambda _: self._save(),
            "set": self._set,
        }.items():
            self.on_action(name, act)
        self.show(now=True)
        self._look_later()

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation as `session.chat` takes it, system prompt first."""
        return self._talk.make_messages(self._settings.system)

    @property
    def path(self) -> Path | None:
        """The file in which the chat is kept; None before it was saved."""
        return self._keeping.path

    @property
    def is_busy(self) -> bool:
        """True while an answer comes."""
        return self._asking is not None and not self._asking.reply.is_over

    def ask(self, text: Any) -> None:
        """Asks; the answer comes by itself, `wait` waits for it.

        Raises:
            CurcLlmError: an answer is still coming, or there is no text.
        """
        if not isinstance(text, str) or not text.strip():
            raise CurcLlmError("The message is empty.", "Write something first.")
        if len(text) > MAX_MESSAGE_CHARS:
            raise CurcLlmError(
                f"The message has more than {MAX_MESSAGE_CHARS:,} characters.", "Send less at once."
            )
        with self._changing:
            self._check_idle()
            self._keeping.note = ""
            self._keeping.add(self._talk.ask(text))
            self._begin()

    def retry(self) -> None:
        """Asks the last question again; its answer is replaced.

        Raises:
            CurcLlmError: an answer is still coming, or nothing was asked yet.
        """
        with self._changing:
            self._check_idle()
            self._keeping.add_line({"drop_from": self._talk.take_back()})
            self._begin()

    def stop(self) -> None:
        """Ends the answer that is coming; what has come stays."""
        if self._asking is not None:
            self._asking.stop()

    def clear(self) -> None:
        """Begins a new conversation, in a file of its own if it is saved again."""
        with self._changing:
            self.stop()
            self._talk.clear()
            self._keeping.end()
        self.show(now=True)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the answer's end; False when the time was up first. Interrupting the kernel stops it."""
        if self._asking is None:
            return True
        try:
            return self._asking.wait(timeout_s)
        except KeyboardInterrupt:
            self.stop()
            raise

    def to_frame(self) -> pd.DataFrame:
        """The conversation as a table: one row a message, with model, tokens and times."""
        return make_chat_frame(self._talk.entries, self._settings.system)

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Keeps the chat in a file, from its beginning and from now on; `chats.lines` has the format.

        Args:
            path: the file; one of the chat's own below the state folder when not given.

        Returns:
            The file.

        Raises:
            ChatFileError: it can't be written, or there is such a file already.
        """
        with self._changing:
            given = Path(path).expanduser() if path is not None else None
            if (kept := self._keeping.path) is not None and given in {None, kept}:
                return kept
            place = given or make_chat_path(find_state_dir(self._session))
            self._keeping.begin(place, self._make_lines())
        self.show(now=True)
        return place

    def list_replies(self) -> Sequence[Reply]:
        """The answers of the conversation."""
        return self._talk.replies

    def make_state(self) -> dict[str, Any]:
        """What the page shows."""
        served = self._served
        return {
            "title": self._title,
            "messages": self._talk.to_json(),
            "models": served.models,
            "model": self._settings.model or served.default,
            "well": served.is_ready,
            "system": self._settings.system,
            "sampling": self._settings.to_json(),
            "kept": str(self.path or ""),
            "note": self._keeping.note,
            "examples": served.examples,
        }

    def render_text(self) -> str:
        """The conversation as text."""
        said = render_plain(self._talk.render_text())
        return said or "A chat: run this cell in a running notebook to use it."

    def _begin(self) -> None:
        parameters = {**self._others, **self._settings.sampling.to_json()}
        messages = self.messages
        reply = self._talk.answer(parameters)
        model = self._settings.model or None
        reply.model = model or self._served.default
        self._asking = Asking(
            self._session,
            reply,
            messages,
            model=model,
            parameters=parameters,
            on_change=lambda: self._grow(reply),
            on_end=lambda: self._end(reply),
        )
        self._keeping.begin_answer(reply)
        self.show(now=True)
        self._asking.start()

    def _grow(self, reply: Reply) -> None:
        self._keeping.grow(reply)
        self.grow()

    def _end(self, reply: Reply) -> None:
        with self._changing:
            if any(entry is reply for entry in self._talk.entries):
                self._keeping.add(reply)
        self.show(now=True)
        self._look_later()

    def _check_idle(self) -> None:
        if self.is_busy:
            raise CurcLlmError("An answer is still coming.", "Wait for it, or stop it.")

    def _set(self, values: Any) -> None:
        with self._changing:
            before, self._settings = self._settings, self._settings.change(values)
            if before.system != self._settings.system:
                self._keeping.add_line({"system": self._settings.system})
        self.show(now=True)

    def _save(self) -> dict[str, str]:
        return {"path": str(self.save())}

    def _make_lines(self) -> list[dict[str, Any]]:
        entries = self._talk.entries
        return make_lines(self._title, self._session.session_id, self._settings.system, entries)

    def _load(self, path: Path) -> None:
        if not path.exists():
            self._keeping.begin(path, self._make_lines())
            return
        self._talk, facts = self._keeping.go_on(path)
        self._title = self._title or facts.get("title") or ""
        if not self._settings.system:
            self._settings = self._settings.change({"system": facts.get("system", "")})

    def _look_later(self) -> None:
        """Looks at the session in a thread of its own: asking Slurm or a tunnel may take long."""
        threading.Thread(target=self._look, name="curc-llm chat", daemon=True).start()

    def _look(self) -> None:
        with contextlib.suppress(CurcLlmError):
            self._served = look_up_served(self._session.status())
            self.show()
        with contextlib.suppress(CurcLlmError, ImportError):
            _ = self._session.openai  # the first question needn't wait for the library
