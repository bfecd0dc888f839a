"""Keeps a chat in its file while it goes on, once somebody asked for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.notebook.chat_file import ChatFile, ChatFileError, make_head, make_line
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
        self._file: ChatFile | None = None
        self.note = ""

    @property
    def path(self) -> Path | None:
        """The file; None while the chat isn't kept."""
        return self._file.path if self._file is not None else None

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
        file = ChatFile(path)
        file.append(lines)
        self._file, self.note = file, ""

    def go_on(self, path: Path) -> tuple[Conversation, dict[str, Any]]:
        """Reads a chat that was kept before, and keeps it on there.

        Raises:
            ChatFileError: it can't be read, or is no chat.
        """
        file = ChatFile(path)
        found = file.read()
        self._file = file
        return found

    def add(self, entry: Question | Reply) -> None:
        """Keeps a message."""
        self._append(make_line(entry))

    def add_line(self, line: dict[str, Any]) -> None:
        """Keeps something else of the format in `chat_file`."""
        self._append({**line, "at": time.time()})

    def end(self) -> None:
        """Keeps no more; the file stays."""
        self._file, self.note = None, ""

    def _append(self, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.append([line])
        except ChatFileError as error:
            # The conversation goes on; the file isn't whole any more, so it isn't kept any further.
            self._file, self.note = None, str(error)


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
