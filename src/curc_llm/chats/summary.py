"""What a list of chats shows of each, read without taking the whole chat apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curc_llm.chats.chat import Chat, make_title
from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.lines import Line, parse_lines
from curc_llm.chats.message import parse_text, parse_time
from curc_llm.chats.reading import is_of_a_chat, put_together

_MESSAGE = b'\n{"id": '
_SET = b'\n{"set": '
# Unescaped quotes stand around names and values alone, never within a text.
_AT = re.compile(rb'"at": ([0-9.e+]+)')
_NAME = b'"model": "'
_MODEL = re.compile(rb'"model": "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class ChatSummary:
    """One chat in a list.

    Args:
        chat_id: names it.
        title: on one line; may be empty.
        created_at, updated_at: Unix time in seconds; of the beginning, and of the latest message.
        is_pinned: stands first and is never purged.
        deleted_at: when it was deleted; None when it wasn't.
        num_messages: of all branches.
        model: that answered last.
        num_bytes: of all its files.
        changed_at: when one of its files was last written, in Unix seconds.
    """

    chat_id: str
    title: str
    created_at: float
    updated_at: float
    is_pinned: bool
    deleted_at: float | None
    num_messages: int
    model: str
    num_bytes: int
    changed_at: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {name: getattr(self, name) for name in self.__slots__}


def summarise(
    chat_id: str, files: Sequence[tuple[str, bytes]], changed_at: float = 0.0
) -> ChatSummary | None:
    """The summary of a chat; None when there is no message in its files.

    Args:
        chat_id: names it.
        files: names and contents.
        changed_at: when one of them was last written, in Unix seconds.
    """
    num_bytes = sum(len(data) for _, data in files)
    if len(files) == 1 and (quick := _summarise_quickly(chat_id, files[0][1])) is not None:
        return replace(quick, changed_at=changed_at)
    try:
        chat = put_together(Path(f"{chat_id}.jsonl"), files)
    except ChatFileError:
        return None
    return replace(summarise_chat(chat, num_bytes), changed_at=changed_at) if chat.messages else None


def summarise_chat(chat: Chat, num_bytes: int = 0) -> ChatSummary:
    """The summary of a chat that was read."""
    models = [message.model for message in chat.messages.values() if message.model]
    return ChatSummary(
        chat.chat_id,
        chat.title,
        chat.created_at,
        chat.updated_at,
        chat.is_pinned,
        chat.deleted_at,
        len(chat.messages),
        models[-1] if models else "",
        num_bytes,
    )


def _summarise_quickly(chat_id: str, data: bytes) -> ChatSummary | None:
    """From head, settings and the last message alone; None when the head doesn't say enough."""
    head = next(iter(parse_lines(data[: data.find(b"\n") + 1]).values), {})
    title = make_title(parse_text(head.get("title")))
    if not is_of_a_chat(head) or "chat" not in head or not title:
        return None
    settings: Line = {}
    for line in _find_settings(data):
        settings |= line
    deleted_at = parse_time(settings.get("deleted_at"))
    created_at = parse_time(head.get("created_at"))
    num_messages, updated_at = data.count(_MESSAGE), _find_time(data) or created_at
    if not num_messages:
        return None
    return ChatSummary(
        chat_id,
        make_title(parse_text(settings.get("title"))) or title,
        created_at,
        updated_at,
        settings.get("pinned") is True,
        deleted_at if deleted_at and deleted_at >= updated_at else None,
        num_messages,
        _find_model(data),
        len(data),
    )


def _find_model(data: bytes) -> str:
    """The last one that is named."""
    at = len(data)
    while (at := data.rfind(_NAME, 0, at)) >= 0:
        match = _MODEL.match(data, at)
        if match is not None and match[1]:
            return _unescape(match[1])
    return ""


def _find_settings(data: bytes) -> Iterator[Line]:
    at = data.find(_SET)
    while at >= 0:
        end = data.find(b"\n", at + 1)
        for line in parse_lines(data[at:] if end < 0 else data[at:end]).values:
            values = line.get("set")
            if isinstance(values, dict):
                yield values
        at = -1 if end < 0 else data.find(_SET, end)


def _find_time(data: bytes) -> float:
    """When the last message was written."""
    match = _AT.search(data, at) if (at := data.rfind(_MESSAGE)) >= 0 else None
    try:
        return parse_time(float(match[1])) if match else 0.0
    except ValueError:
        return 0.0


def _unescape(text: bytes) -> str:
    try:
        return str(json.loads(b'"' + text + b'"'))
    except ValueError:
        return ""
