"""Adds to a saved chat."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curc_llm.chats.answer import AnswerWriter
from curc_llm.chats.chat import Chat, make_title
from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.files import add_to_file, read_file
from curc_llm.chats.hosts import find_host
from curc_llm.chats.lines import FORMAT, Line, join, parse_lines
from curc_llm.chats.message import Message, make_id
from curc_llm.chats.names import MARK, PART

MOST_OF_HEAD = 64 * 1024  # bytes
_HEAD = ("chat", "chat_id", "title", "host", "created_at")
TIP = "tip"  # no message has such an id: ids are longer


class ChatWriter:
    """Changes a chat in memory and on disk. Any number may write one chat, in any process, on any host.

    Nothing raises because of the disk: the chat goes on in memory, `trouble` says what is wrong, and what
    wasn't written is written with the next change. Nothing is on disk before the first change.

    Args:
        chat: as it was read, or a new one; it grows with what is written here.
        main: its main file.
        host: whose processes may share a file; see `lines`.

    Example:
        >>> writer = ChatStore(folder).create(system="Be brief.")              # doctest: +SKIP
        >>> question = writer.append_question("What is an SU?")                # doctest: +SKIP
        >>> answer = writer.begin_answer(model="llama")                        # doctest: +SKIP
    """

    def __init__(self, chat: Chat, main: Path, host: str = "") -> None:
        self.chat = chat
        self.trouble: ChatFileError | None = None
        self._main, self._host = main, host or find_host()
        self._file: Path | None = None
        self._unwritten: list[Line] = []
        self._lock = threading.RLock()

    @property
    def main(self) -> Path:
        """The chat's main file."""
        return self._main

    def append_question(self, text: str, parent: str | None = TIP, **facts: Any) -> Message:
        """Adds what a person wrote; it is on disk, or in `trouble`, when this returns.

        Args:
            text: the question.
            parent: id of the message that it follows; the last one shown when not given. An edited question
                has the parent of the one that was edited: both stay, as branches.
            facts: what else to keep of it, such as `attachments`.
        """
        return self._add(self._make("user", text, parent, facts))

    def append_answer(self, text: str, parent: str | None = TIP, **facts: Any) -> Message:
        """Adds an answer that is there as a whole. `reasoning` and `status` may be among the facts."""
        return self._add(self._make("assistant", text, parent, facts))

    def begin_answer(self, parent: str | None = TIP, **facts: Any) -> AnswerWriter:
        """Begins an answer that comes in pieces.

        An answer that was cut off is continued by another one with the same parent, whose first piece is the
        first one's text; `continues` in its facts names that one.

        Args:
            parent: id of the question; the last message shown when not given.
            facts: `model`, `parameters` and the like.
        """
        message = self._make("assistant", "", parent, facts)
        part = self._main.with_name(f"{self._main.stem}{MARK}{message.message_id}{PART}")
        return AnswerWriter(message, part, self._keep_answer)

    def set(self, **values: Any) -> None:
        """Sets what holds for the chat: `title`, `pinned`, `system`, …; None takes it away."""
        if self.chat.messages:
            self._write({"set": values, "at": round(time.time(), 3)})
        else:
            self.plan(**values)

    def plan(self, **values: Any) -> None:
        """As `set`, but written with the next change: a chat without messages isn't kept."""
        with self._lock:
            line = {"set": values, "at": round(time.time(), 3)}
            self.chat.take(line)
            self._unwritten.append(line)

    def show(self, message_id: str | None, *, is_end: bool = False) -> None:
        """Shows the branch that this message stands in.

        Args:
            message_id: the message; None shows none, for a chat begun anew.
            is_end: show nothing below it.
        """
        end = {"end": True} if is_end else {}
        self._write({"show": message_id, **end, "at": round(time.time(), 3)})

    def mark(self, message_id: str, **facts: Any) -> None:
        """Keeps something of a message, such as its `rating`."""
        self._write({"mark": message_id, "facts": facts, "at": round(time.time(), 3)})

    def add_lines(self, lines: list[Line]) -> None:
        """Adds lines of the format as they are, all in one write."""
        self._write(*lines)

    def _make(self, role: str, text: str, parent: str | None, facts: Mapping[str, Any]) -> Message:
        follows = self.chat.tip if parent == TIP else parent
        own = {name: facts[name] for name in ("reasoning", "status") if name in facts}
        rest = {name: value for name, value in facts.items() if name not in own and value is not None}
        clean = text.encode("utf-8", "replace").decode("utf-8")
        return Message(make_id(), follows, role, clean, round(time.time(), 3), facts=rest, **own)

    def _add(self, message: Message) -> Message:
        self._write(message.to_line())
        return message

    def _keep_answer(self, message: Message) -> bool:
        self._write(message.to_line(), is_synced=True)
        return self.trouble is None

    def _write(self, *lines: Line, is_synced: bool = False) -> None:
        with self._lock:
            self.chat.take_all(lines)
            self._unwritten += lines
            try:
                self._write_all(is_synced)
            except ChatFileError as error:
                self.trouble = error
            else:
                self.trouble = None

    def _write_all(self, is_synced: bool) -> None:
        data = join(self._unwritten)
        if self._file is None:
            self._file = self._begin_file(data, is_synced)
        else:
            add_to_file(self._file, data, is_synced=is_synced)
        self._unwritten = []

    def _begin_file(self, data: bytes, is_synced: bool) -> Path:
        """Writes to the file that this host's processes share, making it when it isn't there."""
        own = self._main.with_name(f"{self._main.stem}{MARK}{self._host}{self._main.suffix}")
        for path in (self._main, own):
            try:
                add_to_file(path, join([self._make_head(path)]) + data, is_new=True, is_synced=is_synced)
            except FileExistsError:
                if path == self._main and find_file_host(path) != self._host:
                    continue
                add_to_file(path, data, is_synced=is_synced)
            return path
        raise AssertionError(own)  # the second file is always this host's

    def _make_head(self, path: Path) -> Line:
        chat = self.chat
        more = {name: value for name, value in chat.head.items() if path == self._main and name not in _HEAD}
        head = {"chat": FORMAT, "chat_id": chat.chat_id, "title": chat.title, "host": self._host, **more}
        if path != self._main:
            del head["title"]
        return {**head, "created_at": chat.created_at or round(time.time(), 3)}


def find_file_host(path: Path) -> str:
    """The host whose processes may add to a file; empty when it doesn't say.

    Raises:
        ChatFileError: it can't be read.
    """
    first = parse_lines(read_file(path, MOST_OF_HEAD).partition(b"\n")[0]).values
    return str(first[0].get("host") or "") if first else ""


def make_head(chat_id: str, title: str, created_at: float, **facts: Any) -> Line:
    """A main file's first line."""
    head = {"chat": FORMAT, "chat_id": chat_id, "title": make_title(title), "host": find_host()}
    return {**head, **facts, "created_at": created_at}
