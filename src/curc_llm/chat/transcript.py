"""A saved chat as the page shows it: Gradio's rows, and which message of the chat each of them is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curc_llm.attachments import list_attachments
from curc_llm.chat.figures import can_continue, find_trouble, is_json, render_details, render_figures
from curc_llm.chat.markup import render_markdown
from curc_llm.chat.messages import (
    RETRY,
    ChatMessage,
    make_aside,
    make_note,
    make_notice,
    make_text_messages,
    make_user_message,
)
from curc_llm.chats.chat import Chat
from curc_llm.chats.message import Message

CONTINUE = "continue"
UNANSWERED = "No answer yet"
_RATINGS = {1: "Like", -1: "Dislike"}


@dataclass(frozen=True)
class Version:
    """Which of several branches is shown at a message.

    Args:
        number, count: the third of five is 3, 5.
        before, after: ids of the neighbours; empty where there is none.
    """

    number: int
    count: int
    before: str
    after: str


@dataclass(frozen=True)
class Transcript:
    """What the conversation shows.

    Args:
        rows: as Gradio's Chatbot has them.
        ids: for each row, the id of its message in the chat.
    """

    rows: list[ChatMessage]
    ids: list[str]

    def find_message(self, index: Any) -> str | None:
        """The id behind a row that was clicked; None when there is no such row (the page is behind)."""
        number = index[0] if isinstance(index, list | tuple) and index else index
        is_there = isinstance(number, int) and 0 <= number < len(self.ids)
        return self.ids[number] if is_there else None


def make_transcript(
    path: Sequence[Message], max_model_len: int | None = None, *, with_options: bool = False
) -> Transcript:
    """Makes the rows of a branch.

    Args:
        path: the branch.
        max_model_len: context length of the model in tokens, once known.
        with_options: with what can be done at its end: going on with an answer, or asking again what has none
            (its page was closed, or loaded anew, before the answer began).
    """
    rows: list[ChatMessage] = []
    ids: list[str] = []
    names_model = len({message.model for message in path if message.model}) > 1
    for message in path:
        new = make_rows(message, max_model_len, names_model=names_model)
        is_end = with_options and message is path[-1]
        if is_end and can_continue(message):
            new[-1] = {**new[-1], "options": [{"value": CONTINUE, "label": "Continue the answer"}]}
        if is_end and message.role == "user":
            new.append(make_aside(UNANSWERED, RETRY, status=""))
        rows += new
        ids += [message.message_id] * len(new)
    return Transcript(rows, ids)


def make_rows(
    message: Message, max_model_len: int | None = None, *, names_model: bool = False
) -> list[ChatMessage]:
    """The rows of one message: of an answer its reasoning, text, figures and what went wrong.

    Args:
        message: a question or an answer.
        max_model_len: context length of the model in tokens, once known.
        names_model: whether the figures begin with the model, since others answered in this conversation.
    """
    if message.role == "user":
        return [make_user_message(message.content)]
    note = message.facts.get("note")
    rows = make_note(note) if isinstance(note, str) else []
    if message.reasoning:
        rows.append(make_aside(_render_thought_title(message.facts), render_markdown(message.reasoning)))
    if message.content or not message.reasoning:
        rows += make_text_messages(message.content, is_json=is_json(message))
    if figures := render_figures(message):
        name = f"{render_markdown(message.model)} · " if names_model and message.model else ""
        rows.append(make_aside(name + figures, render_details(message, max_model_len)))
    if (trouble := find_trouble(message.facts)) is not None:
        rows.append(make_notice(*trouble))
    return rows


def find_versions(chat: Chat, path: Iterable[Message]) -> dict[str, Version]:
    """Where a branch has others beside it, by the id of the message that differs."""
    found = {}
    for message in path:
        versions = _list_versions(chat, message.message_id)
        names = [one.message_id for one in versions]
        if len(names) < 2 or message.message_id not in names:
            continue
        at = names.index(message.message_id)
        before, after = names[at - 1] if at else "", names[at + 1] if at + 1 < len(names) else ""
        found[message.message_id] = Version(at + 1, len(names), before, after)
    return found


def make_row_map(chat: Chat, path: Sequence[Message], ratio: float = 1.0) -> list[dict[str, Any]]:
    """What page.js needs to know of each message, in the order that they are shown in.

    Args:
        chat: the chat.
        path: the branch that is shown.
        ratio: tokens that the engine counted in this chat for each one that was estimated.

    Example:
        >>> chat = Chat("c")
        >>> chat.take({"id": "1", "parent": None, "role": "user", "content": "Hi", "at": 1})
        >>> make_row_map(chat, chat.path)
        [{'id': '1', 'role': 'user'}]
    """
    versions = find_versions(chat, path)
    rows = []
    for message in path:
        row: dict[str, Any] = {"id": message.message_id, "role": message.role}
        if (version := versions.get(message.message_id)) is not None:
            row["version"] = [version.number, version.count, version.before, version.after]
        if attachments := list_attachments(message.facts.get("attachments")):
            row["attachments"] = [[one.name, one.kind, round(ratio * one.num_tokens)] for one in attachments]
        if (rating := _RATINGS.get(message.facts.get("rating", 0))) is not None:
            row["rating"] = rating
        rows.append(row)
    return rows


def _list_versions(chat: Chat, message_id: str) -> Sequence[Message]:
    """The branches at a message, without the beginnings of answers that were continued."""
    versions = chat.list_versions(message_id)
    continued = {str(one.facts.get("continues")) for one in versions if one.facts.get("continues")}
    return [one for one in versions if one.message_id not in continued]


def _render_thought_title(facts: Mapping[str, Any]) -> str:
    seconds = facts.get("reasoning_s")
    is_known = isinstance(seconds, int | float) and seconds >= 0.1
    return f"Reasoning ({seconds:.1f} s)" if is_known else "Reasoning"
