"""A notebook's conversation and the file that it is kept in; `chats.lines` has the format."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from curc_llm.chats.chat import Chat
from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.files import add_to_file
from curc_llm.chats.hosts import find_host
from curc_llm.chats.lines import FORMAT, join
from curc_llm.chats.message import Message
from curc_llm.chats.names import SUFFIX, make_chat_id
from curc_llm.chats.reading import read_chat
from curc_llm.chats.store import FOLDER
from curc_llm.client.answer import Usage
from curc_llm.errors import CurcLlmError
from curc_llm.notebook.conversation import Conversation, Question
from curc_llm.notebook.reply import Phase, Reply

__all__ = ["ChatFile", "ChatFileError", "make_chat_path", "make_conversation", "make_head", "make_line"]


class ChatFile:
    """A chat's file, which only its owner can read.

    Args:
        path: made when the first line is written.

    Example:
        >>> ChatFile(Path("talk.jsonl")).append([{"id": 1, "role": "user", "content": "Hi", "at": 0}])
        ... # doctest: +SKIP
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, lines: list[dict[str, Any]]) -> None:
        """Adds lines, all in one write.

        Raises:
            ChatFileError: the file can't be written; the disk may be full.
        """
        try:
            add_to_file(self.path, join(lines), is_new=True)
        except FileExistsError:
            add_to_file(self.path, join(lines))

    def read(self) -> tuple[Conversation, dict[str, Any]]:
        """The chat as it stands.

        Returns:
            The conversation, and what else is known: `title`, `system`, `chat_id`, `session_id`.

        Raises:
            ChatFileError: there is no such file, or it is no chat.
        """
        chat = read_chat(self.path)
        return make_conversation(chat.path), find_facts(chat)


def make_chat_path(state_dir: Path) -> Path:
    """A new file's place: one per chat, below the state folder, named after its time."""
    return state_dir / FOLDER / f"{make_chat_id()}{SUFFIX}"


def make_head(title: str, session_id: str) -> dict[str, Any]:
    """A file's first line."""
    head = {"chat": FORMAT, "title": title, "host": find_host(), "session_id": session_id}
    return {**head, "created_at": time.time()}


def find_facts(chat: Chat) -> dict[str, Any]:
    """What a chat's file says besides its messages."""
    said = {name: chat.head.get(name) for name in ("chat_id", "session_id")}
    return {**said, "title": chat.title, "system": chat.system}


def make_conversation(messages: Iterable[Message]) -> Conversation:
    """The messages that a chat shows, as the widget has them; numbers stand for ids that are none."""
    talk = Conversation()
    last = 0
    for message in messages:
        named = int(message.message_id) if message.message_id.isdecimal() else 0
        last = max(last + 1, named)
        is_question = message.role == "user"
        talk.add(Question(last, message.content, message.at) if is_question else _make_reply(last, message))
    return talk


def make_line(entry: Question | Reply) -> dict[str, Any]:
    """The line of one message."""
    if isinstance(entry, Question):
        return {"id": entry.question_id, "role": "user", "content": entry.text, "at": entry.at}
    usage, trouble = entry.usage, entry.trouble
    line = {
        "id": entry.reply_id,
        "role": "assistant",
        "content": entry.text,
        "reasoning": entry.thought,
        "model": entry.model,
        "status": str(entry.phase),
        "finish_reason": entry.finish_reason,
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "completion_tokens": entry.tokens,
        "tokens_per_s": entry.tokens_per_s,
        "first_token_s": entry.first_token_s,
        "reasoning_s": entry.reasoning_s,
        "parameters": {name: value for name, value in entry.parameters.items() if _is_plain(value)},
        "at": entry.at,
    }
    return line if trouble is None else {**line, "trouble": vars_of(trouble)}


def vars_of(trouble: CurcLlmError) -> dict[str, str]:
    """What a failure says."""
    return {"message": trouble.message, "remedy": trouble.remedy}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _make_reply(number: int, message: Message) -> Reply:
    facts, status = message.facts, message.status
    reply = Reply(number, message.content, message.reasoning, at=message.at)
    reply.phase = Phase(status) if status in ("done", "stopped", "failed") else Phase.STOPPED
    reply.model, reply.finish_reason = message.model, facts.get("finish_reason")
    reply.deltas = tokens = _find_count(facts.get("completion_tokens"))
    if facts.get("prompt_tokens") is not None:
        reply.usage = Usage(_find_count(facts["prompt_tokens"]), tokens)
    if isinstance(trouble := facts.get("trouble"), dict):
        reply.trouble = CurcLlmError(str(trouble.get("message")), str(trouble.get("remedy") or ""))
    if first_s := _find_seconds(facts.get("first_token_s")):
        reply.sent_at, reply.first_at = 0.0, first_s
        rate = _find_seconds(facts.get("tokens_per_s"))
        reply.last_at = first_s + (tokens - 1) / rate if rate else first_s
        reply.reasoned_until = first_s + _find_seconds(facts.get("reasoning_s"))
    parameters = facts.get("parameters")
    reply.parameters = parameters if isinstance(parameters, dict) else {}
    return reply


def _find_count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _find_seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
