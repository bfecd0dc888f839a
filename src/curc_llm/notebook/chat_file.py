"""One chat as a file of JSON objects, one a line, only ever added to. Safe on NFS, readable by eye.

The first line says what the file is: `{"chat": 1, "chat_id", "title", "session_id", "created_at"}`. Each
other line is one of these, `at` being Unix time in seconds:

- `{"id", "role": "user", "content", "at"}`
- `{"id", "role": "assistant", "content", "reasoning", "model", "status", "finish_reason", "prompt_tokens",
  "completion_tokens", "tokens_per_s", "first_token_s", "reasoning_s", "parameters", "at"}`; `status` is
  `done`, `stopped` or `failed` (then there is `trouble` with `message` and `remedy`)
- `{"system", "at"}`: the system prompt from here on
- `{"drop_from": id, "at"}`: the message with this id and all after it don't count any more (asked again)

A reader skips what it doesn't know, and a line that isn't JSON: the last one of a chat whose kernel died.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curc_llm.client.answer import Usage
from curc_llm.errors import CurcLlmError
from curc_llm.notebook.conversation import Conversation, Question
from curc_llm.notebook.reply import Phase, Reply

FORMAT = 1
FOLDER = "chats"
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


class ChatFileError(CurcLlmError):
    """A chat can't be kept in a file, or read from one."""


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
        data = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, _FLAGS, 0o600)
            try:
                _write(descriptor, _mend(descriptor) + data.encode("utf-8"))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ChatFileError(
                f"The chat can't be kept in {self.path}: {error.strerror}.", "Save it elsewhere: save(path)."
            ) from error

    def read(self) -> tuple[Conversation, dict[str, Any]]:
        """The chat as it stands.

        Returns:
            The conversation, and what else is known: `title`, `system`, `chat_id`, `session_id`.

        Raises:
            ChatFileError: there is no such file, or it is no chat.
        """
        talk = Conversation()
        facts: dict[str, Any] = {}
        for number, line in enumerate(self._read_lines()):
            if number == 0 and line.get("chat") != FORMAT:
                raise ChatFileError(f"{self.path} is no chat that can be read.", "Name another file.")
            _take_line(talk, facts, line)
        return talk, facts

    def _read_lines(self) -> Iterator[dict[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ChatFileError(
                f"{self.path} can't be read: {error.strerror}.", "Name the file of a chat."
            ) from error
        for line in text.split("\n"):
            try:
                value = json.loads(line) if line else None
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def make_chat_path(state_dir: Path) -> Path:
    """A new file's place: one per chat, below the state folder, named after its time."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}.jsonl"
    return state_dir / FOLDER / name


def make_head(title: str, session_id: str) -> dict[str, Any]:
    """A file's first line."""
    return {
        "chat": FORMAT,
        "chat_id": secrets.token_hex(8),
        "title": title,
        "session_id": session_id,
        "created_at": time.time(),
    }


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
        "reasoning_s": entry.thought_s,
        "parameters": {name: value for name, value in entry.parameters.items() if _is_plain(value)},
        "at": entry.at,
    }
    return line if trouble is None else {**line, "trouble": vars_of(trouble)}


def vars_of(trouble: CurcLlmError) -> dict[str, str]:
    """What a failure says."""
    return {"message": trouble.message, "remedy": trouble.remedy}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _mend(descriptor: int) -> bytes:
    """A line feed, when the last line was cut off."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    return b"" if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _take_line(talk: Conversation, facts: dict[str, Any], line: dict[str, Any]) -> None:
    if "chat" in line:
        facts.update({name: line.get(name) for name in ("chat_id", "title", "session_id")})
    elif isinstance(line.get("drop_from"), int):
        talk.drop_from(line["drop_from"])
    elif isinstance(line.get("system"), str):
        facts["system"] = line["system"]
    elif isinstance(line.get("id"), int) and isinstance(line.get("content"), str):
        _take_message(talk, line)


def _take_message(talk: Conversation, line: dict[str, Any]) -> None:
    at = float(line.get("at") or 0)
    if line.get("role") == "user":
        talk.add(Question(line["id"], line["content"], at))
    elif line.get("role") == "assistant":
        talk.add(_make_reply(line, at))


def _make_reply(line: dict[str, Any], at: float) -> Reply:
    phase = line.get("status")
    reply = Reply(line["id"], line["content"], str(line.get("reasoning") or ""), at=at)
    reply.phase = Phase(phase) if phase in {"done", "stopped", "failed"} else Phase.STOPPED
    reply.model, reply.finish_reason = str(line.get("model") or ""), line.get("finish_reason")
    tokens = line.get("completion_tokens") or 0
    reply.deltas = tokens
    if line.get("prompt_tokens") is not None:
        reply.usage = Usage(line["prompt_tokens"], tokens)
    if isinstance(trouble := line.get("trouble"), dict):
        reply.trouble = CurcLlmError(str(trouble.get("message")), str(trouble.get("remedy") or ""))
    if first_s := line.get("first_token_s"):
        reply.sent_at, reply.first_at = 0.0, first_s
        rate = line.get("tokens_per_s")
        reply.last_at = first_s + (tokens - 1) / rate if rate else first_s
        reply.thought_until = first_s + (line.get("reasoning_s") or 0.0)
    reply.parameters = line.get("parameters") or {}
    return reply
