"""A chat as a file for others: Markdown to read, JSON to keep, a notebook to go on with."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curc_llm.attachments.attachment import Attachment
from curc_llm.attachments.content import make_past_content, render_block
from curc_llm.attachments.facts import list_attachments
from curc_llm.attachments.sizes import render_size
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
        pieces += [_render_attachment(one) for one in _list_attachments(message)] or _list_names(message)
    return "\n\n".join(piece.strip("\n") for piece in pieces if piece) + "\n"


def render_talk(path: Sequence[Message]) -> str:
    """What was said, as Markdown to paste: questions and answers alone.

    Args:
        path: the branch.

    Example:
        >>> print(render_talk([Message("q", None, "user", "Hi", 0.0)]), end="")
        ## You
        <BLANKLINE>
        Hi
    """
    pieces = [piece for message in path for piece in _render_said(message)]
    return "\n\n".join(pieces) + "\n" if pieces else ""


def _render_said(message: Message) -> list[str]:
    files = _list_names(message)
    text = message.content.strip("\n")
    return [f"## {_name(message)}", *files, text] if text or files else []


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
        cells += map(_make_attachment_cell, _list_attachments(message))
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
    said = [{"role": m.role, "content": _make_content(m)} for m in chat.path]
    return system + [message for message in said if message["content"].strip()]


def _make_content(message: Message) -> str:
    """As it was sent, but for images: megabytes of them would make the cell unusable."""
    return str(make_past_content(message.content, _list_attachments(message), takes_images=False))


def _render_python(messages: Sequence[Mapping[str, str]]) -> str:
    """Python that makes the messages. ASCII alone: nothing in it can turn text around or hide."""
    rows = [f"    {{'role': {m['role']!a}, 'content': {m['content']!a}}},\n" for m in messages]
    return f"[\n{''.join(rows)}]"


def _name(message: Message) -> str:
    if message.role == "user":
        return "You"
    return f"{_escape(message.model) or 'Model'}{' (edited)' if message.facts.get('edited') else ''}"


def _render_thought(message: Message) -> list[str]:
    if not message.reasoning:
        return []
    quoted = "\n".join(f"> {line}".rstrip() for line in message.reasoning.splitlines())
    return [f"> *Reasoning*\n>\n{quoted}"]


def _list_attachments(message: Message) -> list[Attachment]:
    return list_attachments(message.facts.get("attachments")) if message.role == "user" else []


def _list_names(message: Message) -> list[str]:
    """Of files that other programs told the names of alone."""
    files = message.facts.get("attachments")
    given = [one.get("name") for one in files if isinstance(one, dict)] if isinstance(files, list) else []
    names = [_escape(name) for name in map(parse_text, given) if name]
    return [f"*Attached: {', '.join(names)}*"] if names else []


def _render_attachment(attachment: Attachment) -> str:
    """The name, and the text folded below it; an image is named alone, the JSON export has it."""
    said = f"*Attached: {_describe(attachment)}*"
    if attachment.is_image:
        return f"{said} (in the chat's JSON and notebook exports)"
    folded = f"<summary>What the model was given</summary>\n\n{_fence(attachment)}\n\n"
    return f"{said}\n\n<details>{folded}</details>"


def _make_attachment_cell(attachment: Attachment) -> dict[str, Any]:
    """Images lie in the notebook itself; nothing is fetched for them."""
    said = f"*Attached: {_describe(attachment)}*"
    if not attachment.is_image:
        text = f"{said}\n\n{_fence(attachment)}"
        return _cell(_kind(text), text)
    kind, _, data = attachment.image.removeprefix("data:").partition(";base64,")
    cell = _cell("markdown", f"{said}\n\n![attached image](attachment:image)")
    return {**cell, "attachments": {"image": {kind: data}}}


def _describe(attachment: Attachment) -> str:
    note = f"; {_escape(attachment.note)}" if attachment.note else ""
    return f"{_escape(attachment.name)} ({attachment.kind}, {render_size(attachment.num_bytes)}{note})"


def _fence(attachment: Attachment) -> str:
    return render_block(attachment).partition("\n")[2]


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
