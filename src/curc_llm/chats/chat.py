"""A chat as it stands: what its lines come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from curc_llm.chats.lines import Line
from curc_llm.chats.message import Message, parse_message, parse_text, parse_time
from curc_llm.chats.tree import END, find_shown, list_siblings, mend_parents

TITLE_CHARS = 80


class Chat:
    """Messages with their branches, and what was set for the chat. Lives in memory; a `ChatWriter` saves it.

    Args:
        chat_id: names its file.

    Example:
        >>> chat = Chat("c")
        >>> chat.take({"id": "1", "parent": None, "role": "user", "content": "What is an SU?", "at": 1})
        >>> chat.take({"id": "2", "parent": None, "role": "user", "content": "What's an SU?", "at": 2})
        >>> [message.content for message in chat.path], [m.content for m in chat.list_versions("2")]
        (["What's an SU?"], ['What is an SU?', "What's an SU?"])
    """

    def __init__(self, chat_id: str) -> None:
        self.chat_id = chat_id
        self.created_at = 0.0
        self.num_skipped = 0
        self.settings: dict[str, Any] = {}
        self._head: Line = {}
        self._messages: dict[str, Message] = {}
        self._shown: list[str | None] = []
        self._parents: dict[str, str | None] | None = None

    @property
    def title(self) -> str:
        """Its name: the one given, else the beginning of the first question."""
        given = (parse_text(self.settings.get("title")), parse_text(self._head.get("title")))
        return next(filter(None, map(make_title, given)), "") or self._title_of_first_question()

    @property
    def system(self) -> str:
        """The system prompt, empty when there is none."""
        return parse_text(self.settings.get("system"))

    @property
    def is_pinned(self) -> bool:
        """Whether it stands before the others and is never purged."""
        return self.settings.get("pinned") is True

    @property
    def deleted_at(self) -> float | None:
        """When it was deleted, in Unix seconds; None when it wasn't, or when somebody wrote in it later."""
        deleted_at = parse_time(self.settings.get("deleted_at"))
        return deleted_at if deleted_at and deleted_at >= self.updated_at else None

    @property
    def updated_at(self) -> float:
        """When the latest message was written, in Unix seconds."""
        return max((message.at for message in list(self._messages.values())), default=self.created_at)

    @property
    def head(self) -> Mapping[str, Any]:
        """The first line: what else was known when the chat began, such as `session_id`."""
        return self._head

    @property
    def messages(self) -> Mapping[str, Message]:
        """All messages of all branches by id, in the order they were written."""
        return self._messages

    @property
    def path(self) -> list[Message]:
        """The messages that are shown, first to last."""
        return [self._messages[name] for name in find_shown(self._find_parents(), self._shown)]

    @property
    def tip(self) -> str | None:
        """Id of the last message that is shown; None when none is."""
        names = find_shown(self._find_parents(), self._shown)
        return names[-1] if names else None

    @property
    def note(self) -> str:
        """What a person should know about its file; empty when all is well."""
        if not self.num_skipped:
            return ""
        lines = "1 line is" if self.num_skipped == 1 else f"{self.num_skipped:,} lines are"
        return f"{lines} damaged and left out."

    def list_versions(self, message_id: str) -> Sequence[Message]:
        """The branches at a message: all that follow the same message, itself included, oldest first.

        Raises:
            KeyError: there is no such message.
        """
        return [self._messages[name] for name in list_siblings(self._find_parents(), message_id)]

    def take(self, line: Line) -> None:
        """Takes in one line of the format; one that it doesn't know changes nothing."""
        if "chat" in line:
            self._take_head(line)
        elif isinstance(line.get("set"), dict):
            self._set(line["set"])
        elif "show" in line:
            self._shown.append(None if line["show"] is None else str(line["show"]))
            self._shown += [END] if line.get("end") is True else []
        elif "mark" in line:
            self._mark(str(line["mark"]), line.get("facts"))
        elif (message := parse_message(line)) is not None:
            self._take_message(message)

    def take_all(self, lines: Iterable[Line]) -> None:
        """Takes in lines."""
        for line in lines:
            self.take(line)

    def _take_head(self, line: Line) -> None:
        created_at = parse_time(line.get("created_at"))
        self._head = {**line, **self._head}  # the first head counts; others only say whose file it is
        self.created_at = min(created_at, self.created_at or created_at)

    def _set(self, values: Mapping[str, Any]) -> None:
        merged = {**self.settings, **values}
        self.settings = {name: value for name, value in merged.items() if value is not None}

    def _mark(self, message_id: str, facts: Any) -> None:
        message = self._messages.get(message_id)
        if message is not None and isinstance(facts, dict):
            self._messages[message_id] = replace(message, facts={**message.facts, **facts})

    def _take_message(self, message: Message) -> None:
        earlier = self._messages.get(message.message_id)
        if earlier is None:
            self._shown.append(message.message_id)
            self._parents = None
        else:
            message = replace(message, parent=earlier.parent)
        self._messages[message.message_id] = message
        self.created_at = self.created_at or message.at

    def _find_parents(self) -> dict[str, str | None]:
        if self._parents is None:
            self._parents = mend_parents({name: m.parent for name, m in list(self._messages.items())})
        return self._parents

    def _title_of_first_question(self) -> str:
        questions = (make_title(m.content) for m in list(self._messages.values()) if m.role == "user")
        return next((title for title in questions if title), "")


def make_title(text: str) -> str:
    r"""The first words of a text, on one line, without characters that steer a terminal or turn text around.

    Example:
        >>> make_title("  What  is\nan SU? ")
        'What is an SU?'
    """
    words = " ".join(text[: 8 * TITLE_CHARS].split())
    if not words.isprintable():
        words = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return _shorten(words)


def _shorten(words: str) -> str:
    """Cut after a word where one ends near; the sign at its end says that there is more."""
    if len(words) <= TITLE_CHARS:
        return words
    cut = words[: TITLE_CHARS - 1]
    whole = cut if words[TITLE_CHARS - 1] == " " else cut.rpartition(" ")[0]
    return (whole if len(whole) >= TITLE_CHARS // 2 else cut).rstrip(" ,;:") + "…"
