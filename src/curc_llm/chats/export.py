"""A chat as a file for others: Markdown to read, JSON to keep, a notebook to go on with."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curc_llm.chats.chat import Chat
from curc_llm.chats.message import Message, parse_text

KIND = "curc-llm chat"
VERSION = 1
# What a viewer of Markdown may fetch, or be told to: images, tags with attributes, MathJax's \style and the
# like. A cell with such a thing is a raw cell, which nothing renders; the text stays as it was.
_LIVELY = re.compile(
    r"!\[|<\s*/?[a-z][^>]*=|\\(?:style|require|class|cssId|href|unicode|bbox)\b", re.IGNORECASE
)
GO_ON = 'messages.append({"role": "user", "content": "…"})\nanswer = session.chat(messages)\nprint(answer)'
_FENCE = re.compile(r"^`{3,}", re.MULTILINE)


def render_markdown(chat: Chat) -> str:
    """What is shown of the chat, as Markdown: a heading for each message, reasoning as a quotation.

    The texts stay as they are, so what a viewer makes of them is the viewer's doing.
    """
    pieces = [f"# {_escape(chat.title) or 'Chat'}", f"*{_render_time(chat.created_at)}*"]
    if chat.system:
        pieces += ["## System prompt", chat.system]
    for message in chat.path:
        pieces += [f"## {_name(message)}", *_render_thought(message), message.content, *_render_end(message)]
        pieces += _render_attachments(message)
    return "\n\n".join(piece.strip("\n") for piece in pieces if piece) + "\n"


def make_json(chat: Chat) -> dict[str, Any]:
    """The whole chat, all branches, as one JSON object; `take_in` reads it back.

    `messages` are in the order they were written, `shown` are the ids of those that are shown.
    """
    return {
        "format": KIND,
        "version": VERSION,
        "chat_id": chat.chat_id,
        "title": chat.title,
        "created_at": chat.created_at,
        "system": chat.system,
        "settings": {k: v for k, v in chat.settings.items() if k not in {"deleted_at", "title", "system"}},
        "shown": [message.message_id for message in chat.path],
        "messages": [message.to_line() for message in chat.messages.values()],
    }


def render_json(chat: Chat) -> str:
    """`make_json` as text."""
    return json.dumps(make_json(chat), ensure_ascii=False, indent=1) + "\n"


def render_notebook(chat: Chat) -> str:
    """What is shown of the chat, as a Jupyter notebook (nbformat 4.5).

    The first cell connects to a session, the last goes on with the conversation. Nothing in it makes a viewer
    fetch anything: texts that could stand in raw cells, which aren't rendered.
    """
    messages = _make_messages(chat)
    cells = [
        _cell("code", "import curc_llm\n\nsession = curc_llm.connect()"),
        _cell("markdown", f"# {_escape(chat.title) or 'Chat'}\n\n{_render_time(chat.created_at)}"),
    ]
    if chat.system:
        cells += [_cell("markdown", "**System prompt**"), _cell(_kind(chat.system), chat.system)]
    for message in chat.path:
        cells += [_cell("markdown", f"**{_name(message)}**"), _cell(_kind(message.content), message.content)]
    cells += [_cell("code", f"messages = {_render_python(messages)}"), _cell("code", GO_ON)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, ensure_ascii=False, indent=1) + "\n"


EXPORTS: Mapping[str, tuple[str, Callable[[Chat], str]]] = {
    "markdown": (".md", render_markdown),
    "json": (".json", render_json),
    "notebook": (".ipynb", render_notebook),
}


def make_file_name(chat: Chat, kind: str) -> str:
    """A file's name for a chat, from letters and digits alone, whatever the title is.

    Args:
        chat: the chat.
        kind: one of `EXPORTS`.

    Example:
        >>> chat = Chat("c")
        >>> chat.take({"set": {"title": "../What is an SU?"}})
        >>> make_file_name(chat, "markdown")
        'What-is-an-SU.md'
    """
    stem = "-".join(re.findall(r"[^\W_]+", chat.title))[:60].strip("-")
    return (stem or "chat") + EXPORTS[kind][0]


def _make_messages(chat: Chat) -> list[dict[str, str]]:
    system = [{"role": "system", "content": chat.system}] if chat.system else []
    return system + [{"role": m.role, "content": m.content} for m in chat.path if m.content.strip()]


def _render_python(messages: Sequence[Mapping[str, str]]) -> str:
    """Python that makes the messages. ASCII alone: nothing in it can turn text around or hide."""
    rows = [f"    {{'role': {m['role']!a}, 'content': {m['content']!a}}},\n" for m in messages]
    return f"[\n{''.join(rows)}]"


def _name(message: Message) -> str:
    return "You" if message.role == "user" else _escape(message.model) or "Model"


def _render_thought(message: Message) -> list[str]:
    if not message.reasoning:
        return []
    quoted = "\n".join(f"> {line}".rstrip() for line in message.reasoning.splitlines())
    return [f"> *Reasoning*\n>\n{quoted}"]


def _render_attachments(message: Message) -> list[str]:
    files = message.facts.get("attachments")
    given = [one.get("name") for one in files if isinstance(one, dict)] if isinstance(files, list) else []
    names = [_escape(name) for name in map(parse_text, given) if name]
    return [f"*Attached: {', '.join(names)}*"] if names else []


def _render_end(message: Message) -> list[str]:
    """Closes code that was cut off, and says why the answer ends here."""
    fences = _FENCE.findall(message.content)
    closing = [fences[-1]] if len(fences) % 2 else []
    if message.role == "user" or message.status == "done":
        return closing
    return [*closing, f"*({message.status})*"]


def _render_time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if at else ""


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#!&|$~])", r"\\\1", text)


def _kind(text: str) -> str:
    return "raw" if _LIVELY.search(text) else "markdown"


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": "", "metadata": {}, "source": text}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell
