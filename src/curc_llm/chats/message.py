"""One message of a saved chat."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curc_llm.chats.lines import Line

ROLES = ("user", "assistant")  # no sets: what stands in a file may be a list
UNFINISHED = "unfinished"
STATUSES = ("done", "stopped", "failed", UNFINISHED)
_OWN = frozenset({"id", "parent", "role", "content", "reasoning", "status", "at"})


@dataclass(frozen=True, slots=True)
class Message:
    """A question or an answer.

    Args:
        message_id: tells it from all others of its chat.
        parent: id of the message before it; None for a beginning.
        role: `user` or `assistant`.
        content: the text, as it was written.
        at: Unix time in seconds.
        reasoning: what the model thought before its answer.
        status: of an answer: `done`, `stopped`, `failed`, or `unfinished`: its writer died, or writes.
        facts: what else is known: `model`, `finish_reason`, `tokens_per_s`, `rating`, `attachments`, …

    Example:
        >>> Message("1", None, "user", "What is an SU?", 0.0).to_line()
        {'id': '1', 'parent': None, 'role': 'user', 'at': 0.0, 'content': 'What is an SU?'}
    """

    message_id: str
    parent: str | None
    role: str
    content: str
    at: float
    reasoning: str = ""
    status: str = "done"
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """Served name of the model that answered; empty when it isn't known."""
        return str(self.facts.get("model") or "")

    def to_line(self) -> Line:
        """The message as a line of the file."""
        line = self.to_head()
        if self.role == "assistant":
            line |= {"status": self.status, "reasoning": self.reasoning}
        return {**line, "content": self.content}

    def to_head(self) -> Line:
        """The line without its texts."""
        line = {"id": self.message_id, "parent": self.parent, "role": self.role, "at": self.at}
        return {**line, **{name: value for name, value in self.facts.items() if name not in _OWN}}


def make_id() -> str:
    """An id that no other message has, whichever process makes it."""
    return secrets.token_hex(8)


def parse_message(line: Line) -> Message | None:
    """The message of a line; None when it isn't one."""
    role, content, number = line.get("role"), line.get("content", ""), line.get("id")
    if role not in ROLES or not isinstance(content, str) or not _is_id(number):
        return None
    parent, status = line.get("parent"), line.get("status")
    return Message(
        str(number),
        str(parent) if _is_id(parent) else None,
        role,
        content,
        parse_time(line.get("at")),
        parse_text(line.get("reasoning")),
        str(status) if status in STATUSES else "done" if role == "user" else "stopped",
        {name: value for name, value in line.items() if name not in _OWN},
    )


def parse_time(value: Any) -> float:
    """Unix time in seconds; 0 for anything that isn't one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e11 else 0.0


def parse_text(value: Any) -> str:
    """A text, empty for anything else."""
    return value if isinstance(value, str) else ""


def _is_id(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and 0 < len(value) <= 100
    )
