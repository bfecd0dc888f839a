"""The conversation of one terminal chat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curc_llm.errors import CurcLlmError
from curc_llm.session.files import write_private

Message = dict[str, str]


class ChatFileError(CurcLlmError):
    """A chat could not be saved or loaded."""


class Conversation:
    """Messages, system prompt and parameters. A question counts only once it has an answer.

    Args:
        model: served model name to ask.
        system: instructions for the model, empty for none.

    Example:
        >>> talk = Conversation("m", system="Be brief.")
        >>> talk.ask("Hi")
        [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}]
        >>> talk.keep("Hello"); talk.retry(), talk.messages
        ('Hi', [])
    """

    def __init__(self, model: str, system: str = "") -> None:
        self.model = model
        self.system = system
        self.params: dict[str, Any] = {}
        self.messages: list[Message] = []
        self._question = ""

    def ask(self, question: str) -> list[Message]:
        """What to send for a new question."""
        self._question = question
        first = [{"role": "system", "content": self.system}] if self.system else []
        return [*first, *self.messages, {"role": "user", "content": question}]

    def keep(self, answer: str) -> None:
        """Keeps the question that was asked last, and its answer."""
        self.messages += [
            {"role": "user", "content": self._question},
            {"role": "assistant", "content": answer},
        ]

    def retry(self) -> str | None:
        """Forgets the last answer and returns the question to ask again; None when nothing was asked."""
        if self.messages and self.messages[-2]["content"] == self._question:
            del self.messages[-2:]
        return self._question or None

    def clear(self) -> None:
        """Begins anew; system prompt and parameters stay."""
        self.messages, self._question = [], ""

    def save(self, path: Path) -> None:
        """Writes the chat to a new private file: JSON for a name in .json (`load` reads it), else Markdown.

        Raises:
            ChatFileError: the file exists, or can't be written.
        """
        if path.exists():
            raise ChatFileError(f"{path} exists.", "Choose another name.")
        try:
            write_private(path, self._render_json() if path.suffix == ".json" else self._render_markdown())
        except OSError as error:
            raise ChatFileError(f"{path} can't be written: {error.strerror}.") from error

    def load(self, path: Path) -> None:
        """Goes on with a chat that was saved as JSON.

        Raises:
            ChatFileError: it isn't one.
        """
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            messages, system = _parse_messages(value["messages"]), str(value.get("system") or "")
        except OSError as error:
            raise ChatFileError(f"{path} can't be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ChatFileError(
                f"{path} is no saved chat: {error}.", "Name a .json file of /save."
            ) from error
        self.messages, self.system = messages, system
        self._question = messages[-2]["content"] if messages else ""

    def _render_json(self) -> str:
        value = {"model": self.model, "system": self.system, "params": self.params, "messages": self.messages}
        return json.dumps(value, ensure_ascii=False, indent=1) + "\n"

    def _render_markdown(self) -> str:
        parts = [f"# Chat with {self.model}\n"]
        parts += [f"**System:** {self.system}\n"] if self.system else []
        for message in self.messages:
            who = "You" if message["role"] == "user" else self.model
            parts.append(f"## {who}\n\n{message['content']}\n")
        return "\n".join(parts)


def _parse_messages(values: list[Message]) -> list[Message]:
    messages = [{"role": str(m["role"]), "content": str(m["content"])} for m in values]
    if [m["role"] for m in messages] != ["user", "assistant"] * (len(messages) // 2):
        raise ValueError("questions and answers don't take turns")
    return messages
