"""Keeps a chat in its file while it goes on, once somebody asked for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.chats.answer import AnswerWriter
from curc_llm.chats.chat import Chat
from curc_llm.chats.message import make_id
from curc_llm.chats.reading import read_chat
from curc_llm.chats.writer import ChatWriter
from curc_llm.notebook.chat_file import ChatFileError, find_facts, make_conversation, make_head, make_line
from curc_llm.notebook.conversation import Conversation, Question
from curc_llm.notebook.reply import Reply

if TYPE_CHECKING:
    from curc_llm.client.session import Session


class Keeping:
    """Nothing is kept before `begin`.

    Example:
        >>> kept = Keeping()
        >>> kept.add_line({"system": "Be brief."})
        >>> kept.path is None
        True
    """

    def __init__(self) -> None:
        self._writer: ChatWriter | None = None
        self._answer: AnswerWriter | None = None
        self._lengths = (0, 0)
        self._ids: dict[int, str] = {}
        self.note = ""

    @property
    def path(self) -> Path | None:
        """The file; None while the chat isn't kept."""
        return self._writer.main if self._writer is not None else None

    def begin(self, path: Path, lines: list[dict[str, Any]]) -> None:
        """Keeps the chat from now on in a new file.

        Args:
            path: the file.
            lines: what it begins with.

        Raises:
            ChatFileError: it is there already, or can't be written.
        """
        if path.exists():
            raise ChatFileError(f"{path} is there already.", "Give another name.")
        chat = Chat(path.stem)
        self._writer, self._ids, self.note = ChatWriter(chat, path), {}, ""
        head, rest = lines[:1], lines[1:]
        chat.take_all(head)
        self._writer.add_lines([self._translate(line) for line in rest])
        if (trouble := self._writer.trouble) is not None:
            self._writer = None
            raise ChatFileError(trouble.message, "Save it elsewhere: save(path).")

    def go_on(self, path: Path) -> tuple[Conversation, dict[str, Any]]:
        """Reads a chat that was kept before, and keeps it on there.

        Raises:
            ChatFileError: it can't be read, or is no chat.
        """
        chat = read_chat(path)
        shown = chat.path
        talk = make_conversation(shown)
        numbers = [e.question_id if isinstance(e, Question) else e.reply_id for e in talk.entries]
        self._ids = {number: message.message_id for number, message in zip(numbers, shown, strict=True)}
        self._writer, self.note = ChatWriter(chat, path), ""
        return talk, find_facts(chat)

    def add(self, entry: Question | Reply) -> None:
        """Keeps a message; of an answer, the whole."""
        answer, self._answer = self._answer, None
        if self._writer is None or answer is None or isinstance(entry, Question):
            self._append(make_line(entry))
            return
        self._grow(answer, entry)
        line = make_line(entry)
        status = str(line.pop("status"))
        # What the message itself says, its texts and its place, is there already.
        facts = {k: v for k, v in line.items() if k not in ("id", "role", "at", "content", "reasoning")}
        answer.end(status, **facts)
        self._ids[entry.reply_id] = answer.message.message_id
        self._look_for_trouble()

    def begin_answer(self, reply: Reply) -> None:
        """Keeps an answer from its first piece on; `grow` follows, then `add`."""
        if self._writer is not None:
            self._lengths = (0, 0)
            self._answer = self._writer.begin_answer(self._tip, model=reply.model)

    def grow(self, reply: Reply) -> None:
        """Keeps what is new of the answer; quick, for a thread writes it."""
        answer = self._answer
        if answer is not None:
            self._grow(answer, reply)

    def add_line(self, line: dict[str, Any]) -> None:
        """Keeps something else: `system`, or `drop_from` with the number of a message."""
        self._append({**line, "at": time.time()})

    def end(self) -> None:
        """Keeps no more; the file stays."""
        self._writer, self._answer, self.note = None, None, ""

    @property
    def _tip(self) -> str | None:
        return next(reversed(self._ids.values()), None)

    def _grow(self, answer: AnswerWriter, reply: Reply) -> None:
        thoughts, texts = self._lengths
        answer.add_thought(reply.thought[thoughts:])
        answer.add(reply.text[texts:])
        self._lengths = (len(reply.thought), len(reply.text))

    def _append(self, line: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.add_lines([self._translate(line)])
            self._look_for_trouble()

    def _translate(self, line: dict[str, Any]) -> dict[str, Any]:
        """The line with ids that no other writer gives, for the widget only counts."""
        if "system" in line:
            return {"set": {"system": line["system"] or None}, "at": line["at"]}
        if "drop_from" in line:
            self._ids = {number: name for number, name in self._ids.items() if number < line["drop_from"]}
            return {"show": self._tip, "end": True, "at": line["at"]}
        parent, self._ids[line["id"]] = self._tip, make_id()
        return {**line, "id": self._ids[line["id"]], "parent": parent}

    def _look_for_trouble(self) -> None:
        if self._writer is not None and (trouble := self._writer.trouble) is not None:
            # The conversation goes on; the file isn't whole any more, so it isn't kept any further.
            self._writer, self.note = None, f"{trouble.message} Save it elsewhere: save(path)."


def make_lines(
    title: str, session_id: str, system: str, entries: Sequence[Question | Reply]
) -> list[dict[str, Any]]:
    """All lines of a chat as it is now.

    Args:
        title: empty for the beginning of the first question.
        session_id: who is asked.
        system: the system prompt.
        entries: questions and answers; one that is still coming is kept later.
    """
    lines = [make_head(title or find_title(entries), session_id)]
    if system:
        lines.append({"system": system, "at": time.time()})
    return lines + [make_line(entry) for entry in entries if isinstance(entry, Question) or entry.is_over]


def find_title(entries: Sequence[Question | Reply]) -> str:
    """The first words of the first question.

    Example:
        >>> find_title([Question(1, "What  is an SU?")])
        'What is an SU?'
    """
    questions = [entry.text for entry in entries if isinstance(entry, Question)]
    return " ".join(questions[0].split())[:80] if questions else ""


def find_state_dir(session: Session) -> Path:
    """The state folder that a session lives in; that of the settings for one known by its address alone."""
    key_file = session.key_file
    if key_file is not None and key_file.parent.parent.name == "sessions":
        return key_file.parent.parent.parent
    from curc_llm.sites.placement import load_site_settings

    return load_site_settings().state_dir
