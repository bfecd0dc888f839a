"""Takes in chats from elsewhere: our own exports, messages as the OpenAI API has them, ChatGPT's export."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curc_llm.chats.chatgpt import is_chatgpt, read_chatgpt
from curc_llm.chats.errors import ChatImportError
from curc_llm.chats.export import KIND
from curc_llm.chats.lines import Line, parse_lines
from curc_llm.chats.message import ROLES, make_id, parse_message, parse_text, parse_time
from curc_llm.chats.reading import is_of_a_chat, put_together
from curc_llm.chats.store import ChatStore

MOST_BYTES = 256 * 2**20
WHAT_FITS = (
    "Import a chat's JSON export or .jsonl file, messages as the OpenAI API has them, "
    "or ChatGPT's conversations.json."
)


@dataclass(frozen=True)
class Draft:
    """A chat that is to be taken in.

    Args:
        settings: title, system prompt and the like.
        lines: its messages; `shown` at their end where it matters.
        num_left_out: messages that are no text, such as images and calls of tools.
    """

    settings: dict[str, Any]
    lines: list[Line]
    num_left_out: int = 0


@dataclass(frozen=True)
class TakenIn:
    """What came of an import.

    Args:
        chat_ids: the new chats, in the file's order.
        num_messages: of all of them.
        num_left_out: messages that are no text, such as images and calls of tools.
    """

    chat_ids: tuple[str, ...]
    num_messages: int
    num_left_out: int

    @property
    def text(self) -> str:
        """In words.

        Example:
            >>> TakenIn(("a",), 2, 1).text
            'Imported 1 chat with 2 messages. 1 message that is no text was left out.'
        """
        said = f"Imported {_count(len(self.chat_ids), 'chat')} with {_count(self.num_messages, 'message')}."
        if not self.num_left_out:
            return said
        was = "that is no text was" if self.num_left_out == 1 else "that are no text were"
        return f"{said} {_count(self.num_left_out, 'message')} {was} left out."


def take_in(store: ChatStore, data: bytes, name: str = "the file") -> TakenIn:
    """Adds the chats of a file to the store, each as a new one; nothing that is there changes.

    Args:
        store: where they go.
        data: the file's content.
        name: what the file is called, for its kind and for errors.

    Raises:
        ChatImportError: it isn't of a kind that can be read, or has no message. Nothing was added.
        ChatFileError: the chats can't be written.
    """
    drafts = [draft for draft in read_drafts(data, name) if any("role" in line for line in draft.lines)]
    if not drafts:
        raise ChatImportError(f"There is no message in {name}.", WHAT_FITS)
    chat_ids = [_write(store, draft) for draft in drafts]
    num_messages = sum("role" in line for draft in drafts for line in draft.lines)
    return TakenIn(tuple(chat_ids), num_messages, sum(draft.num_left_out for draft in drafts))


def read_drafts(data: bytes, name: str) -> list[Draft]:
    """The chats in a file.

    Raises:
        ChatImportError: it isn't of a kind that can be read.
    """
    _check_kind(data, name)
    first = next(iter(parse_lines(data.partition(b"\n")[0]).values), {})
    if is_of_a_chat(first) and "format" not in first:
        return [_read_file(data)]
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ChatImportError(f"{name} is no JSON that can be read.", WHAT_FITS) from error
    return list(_read_value(value, name))


def _read_file(data: bytes) -> Draft:
    """A chat's own file."""
    chat = put_together(Path("chat.jsonl"), [("chat.jsonl", data)])
    lines: list[Line] = [message.to_line() for message in chat.messages.values()]
    settings = {**_settings(chat.title, chat.system), "created_at": chat.created_at}
    return Draft(settings, [*lines, {"show": chat.tip, "at": chat.updated_at}])


def _check_kind(data: bytes, name: str) -> None:
    kind = Path(name).suffix.lower()
    if kind in {".md", ".markdown", ".txt"}:
        raise ChatImportError(
            f"{name} is Markdown or text: who said what in it can only be guessed.",
            "Export the chat as JSON and import that.",
        )
    if kind == ".ipynb":
        raise ChatImportError(
            f"{name} is a notebook.", "Open it in Jupyter, or import the chat's JSON export."
        )
    if data[:4] == b"PK\x03\x04":
        raise ChatImportError(f"{name} is a ZIP file.", "Unpack it and import conversations.json.")
    if len(data) > MOST_BYTES:
        raise ChatImportError(
            f"{name} has {len(data) / 2**20:,.0f} MiB; at most {MOST_BYTES // 2**20} MiB are read at once.",
            "Split it.",
        )


def _read_value(value: Any, name: str) -> Iterable[Draft]:
    if isinstance(value, dict) and value.get("format") == KIND:
        yield _read_own(value)
    elif is_chatgpt(value):
        for title, at, rows, num_left_out in read_chatgpt(value):
            yield Draft({"title": title, "created_at": at}, rows, num_left_out)
    elif isinstance(value, dict) and isinstance(value.get("messages"), list):
        yield _read_messages(value["messages"], parse_text(value.get("title")))
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        yield from _read_list(value, name)
    else:
        raise ChatImportError(f"{name} isn't a chat in any form that is known here.", WHAT_FITS)


def _read_list(values: list[dict[str, Any]], name: str) -> Iterable[Draft]:
    """A list of messages, or of chats."""
    if "role" in values[0]:
        yield _read_messages(values, "")
        return
    for value in values:
        yield from _read_value(value, name)


def _read_own(value: dict[str, Any]) -> Draft:
    rows = value.get("messages")
    lines = [line for line in rows if isinstance(line, dict)] if isinstance(rows, list) else []
    shown = value.get("shown")
    if isinstance(shown, list) and shown:
        lines.append(
            {"show": str(shown[-1]), "at": max((parse_time(one.get("at")) for one in lines), default=0.0)}
        )
    given = value.get("settings")
    settings = _settings(parse_text(value.get("title")), parse_text(value.get("system")))
    settings["created_at"] = parse_time(value.get("created_at"))
    return Draft({**(given if isinstance(given, dict) else {}), **settings}, lines)


def _read_messages(rows: list[Any], title: str) -> Draft:
    """Messages as the OpenAI API has them, one after the other."""
    lines: list[Line] = []
    systems: list[str] = []
    num_left_out = 0
    for row in rows:
        role, text = (
            (row.get("role"), _read_content(row.get("content"))) if isinstance(row, dict) else ("", "")
        )
        if role in ("system", "developer") and text:
            systems.append(text)
        elif role in ROLES and text:
            parent = lines[-1]["id"] if lines else None
            line = {"id": make_id(), "parent": parent, "role": role, "at": 0.0}
            thought = parse_text(row.get("reasoning") or row.get("reasoning_content"))
            lines.append({**line, "status": "done", "reasoning": thought, "content": text})
        else:
            num_left_out += 1
    return Draft(_settings(title, "\n\n".join(systems)), lines, num_left_out)


def _read_content(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(
        parse_text(part.get("text")) for part in parts if isinstance(part, dict) and part.get("text")
    )


def _settings(title: str, system: str) -> dict[str, Any]:
    return {name: value for name, value in (("title", title), ("system", system)) if value}


def _write(store: ChatStore, draft: Draft) -> str:
    """Writes a chat with ids of its own, so that a chat imported twice is two chats."""
    created_at = parse_time(draft.settings.get("created_at"))
    settings = {name: value for name, value in draft.settings.items() if name != "created_at" and value}
    writer = store.create(**settings)
    writer.chat.created_at = created_at
    ids: dict[str, str] = {}
    writer.add_lines([line for one in draft.lines if (line := _renew(one, ids)) is not None])
    if writer.trouble is not None:
        raise writer.trouble
    return writer.chat.chat_id


def _renew(line: Line, ids: dict[str, str]) -> Line | None:
    """The line with new ids."""
    if "show" in line:
        shown = str(line["show"])
        return {**line, "show": ids[shown]} if shown in ids else None
    message = parse_message(line)
    if message is None:
        return None
    new = {**message.to_line(), "id": ids.setdefault(message.message_id, make_id())}
    return {**new, "parent": None if message.parent is None else ids.setdefault(message.parent, make_id())}


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
