"""A conversation: what was said, and what of it goes to the model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from curc_llm.errors import CurcLlmError
from curc_llm.notebook.reply import Reply


@dataclass(frozen=True)
class Question:
    """What a person wrote.

    Args:
        question_id: its number in the conversation.
        text: as it was written.
        at: Unix time in seconds.
    """

    question_id: int
    text: str
    at: float = field(default_factory=time.time)

    def to_json(self) -> dict[str, Any]:
        """What the page shows."""
        return {"id": self.question_id, "role": "user", "text": self.text}


class Conversation:
    """Questions and answers in turn.

    Example:
        >>> talk = Conversation()
        >>> _ = talk.ask("Hi")
        >>> talk.make_messages("Be brief.")
        [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}]
    """

    def __init__(self) -> None:
        self.entries: list[Question | Reply] = []
        self._last_id = 0

    @property
    def replies(self) -> list[Reply]:
        """The answers alone."""
        return [entry for entry in self.entries if isinstance(entry, Reply)]

    def next_id(self) -> int:
        """A number that no other entry has or had."""
        self._last_id += 1
        return self._last_id

    def ask(self, text: str) -> Question:
        """Adds what a person wrote."""
        question = Question(self.next_id(), text.encode("utf-8", "replace").decode("utf-8"))
        self.entries.append(question)
        return question

    def answer(self, parameters: dict[str, Any]) -> Reply:
        """Adds an answer that is yet to come."""
        reply = Reply(self.next_id(), parameters=parameters)
        self.entries.append(reply)
        return reply

    def take_back(self) -> int:
        """Takes back the answer at the end, so that the question can be asked again.

        Returns:
            The number of the first entry that is gone, or would be.

        Raises:
            CurcLlmError: nothing was asked yet.
        """
        gone = self._last_id + 1
        while self.entries and isinstance(self.entries[-1], Reply):
            gone = self.entries.pop().reply_id  # type: ignore[union-attr]
        if not self.entries:
            raise CurcLlmError("There is nothing to ask again.", "Write a message first.")
        return gone

    def clear(self) -> None:
        """Forgets everything."""
        self.entries = []

    def add(self, entry: Question | Reply) -> None:
        """Adds an entry that was read from a file."""
        number = entry.question_id if isinstance(entry, Question) else entry.reply_id
        self._last_id = max(self._last_id, number)
        self.entries.append(entry)

    def drop_from(self, number: int) -> None:
        """Forgets the entry with this number and all after it."""
        self.entries = [e for e in self.entries if _number(e) < number]

    def make_messages(self, system: str = "") -> list[dict[str, str]]:
        """What goes to the model. Answers without text are left out, and neighbours of one role become one.

        Many chat templates refuse two messages of one role in a row, which a failed answer would leave.
        """
        messages = [{"role": "system", "content": system.strip()}] if system.strip() else []
        for entry in self.entries:
            role = "assistant" if isinstance(entry, Reply) else "user"
            if not entry.text.strip():
                continue
            if messages and messages[-1]["role"] == role:
                messages[-1]["content"] += "\n\n" + entry.text
            else:
                messages.append({"role": role, "content": entry.text})
        return messages

    def to_json(self) -> list[dict[str, Any]]:
        """What the page shows."""
        return [
            {"role": "assistant", **e.to_json()} if isinstance(e, Reply) else e.to_json()
            for e in self.entries
        ]

    def render_text(self) -> str:
        """The conversation as text."""
        return "\n\n".join(
            f"{'Model' if isinstance(entry, Reply) else 'You'}: {entry.text}" for entry in self.entries
        )


def _number(entry: Question | Reply) -> int:
    return entry.question_id if isinstance(entry, Question) else entry.reply_id
