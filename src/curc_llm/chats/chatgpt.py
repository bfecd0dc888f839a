"""ChatGPT's data export: `conversations.json`.

OpenAI publishes no description of it. What is read here is what others found in their exports: a list of
conversations, each with `title`, `create_time`, `current_node` and `mapping`, whose nodes have `parent` and
`message` (`author.role`, `content.content_type`, `content.parts`, `create_time`, `metadata.model_slug`).
Sources (secondary): https://github.com/mitkury/chatgpt-export-parser (docs/chatgpt-data-export-format.md),
https://difegam.github.io/chatgpt-to-markdown/reference/data-models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curc_llm.chats.lines import Line
from curc_llm.chats.message import ROLES, parse_text, parse_time

# Kinds of content that are no part of the talk: settings, and what ChatGPT says of its own reasoning.
_SILENT = ("user_editable_context", "model_editable_context", "reasoning_recap", "thoughts")
Conversation = tuple[str, float, list[Line], int]


def is_chatgpt(value: Any) -> bool:
    """Whether it is such an export, or one conversation of it."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and isinstance(first.get("mapping"), dict)


def read_chatgpt(value: Any) -> Iterator[Conversation]:
    """Each conversation's title, time, lines, and how many of its messages are no text.

    All branches are kept; the one that ChatGPT shows is shown.
    """
    for talk in value if isinstance(value, list) else [value]:
        if isinstance(talk, dict) and isinstance(talk.get("mapping"), dict):
            yield _read_one(talk)


def _read_one(talk: Mapping[str, Any]) -> Conversation:
    nodes = {str(name): node for name, node in talk["mapping"].items() if isinstance(node, dict)}
    created_at, num_left_out = parse_time(talk.get("create_time")), 0
    lines: dict[str, Line] = {}
    for name in _put_in_order(nodes):
        message = nodes[name].get("message")
        line = _read_message(message, created_at) if isinstance(message, dict) else None
        if line is not None:
            lines[name] = {"id": name, "parent": _find_parent(name, nodes, lines), **line}
        elif isinstance(message, dict) and _is_said(message):
            num_left_out += 1
    rows = list(lines.values())
    tip = _find_kept(str(talk.get("current_node")), nodes, lines)
    if tip is not None:
        rows.append({"show": tip, "at": max(parse_time(line["at"]) for line in rows)})
    return parse_text(talk.get("title")), created_at, rows, num_left_out


def _put_in_order(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Each node after its parent; what leads to no beginning is left out."""
    children: dict[str | None, list[str]] = {}
    for name, node in nodes.items():
        parent = node.get("parent")
        children.setdefault(str(parent) if str(parent) in nodes else None, []).append(name)
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        name = waiting.pop()
        yield name
        waiting += reversed(children.get(name, []))


def _read_message(message: Mapping[str, Any], otherwise_at: float) -> Line | None:
    role, text = _role(message), _read_text(message)
    if role not in ROLES or not text or not _is_said(message):
        return None
    metadata = message.get("metadata")
    model = parse_text(metadata.get("model_slug")) if isinstance(metadata, dict) else ""
    line: Line = {"role": role, "at": parse_time(message.get("create_time")) or otherwise_at}
    if role == "user":
        return {**line, "content": text}
    return {**line, "model": model, "status": "done", "content": text}


def _role(message: Mapping[str, Any]) -> str:
    author = message.get("author")
    return parse_text(author.get("role")) if isinstance(author, dict) else ""


def _is_said(message: Mapping[str, Any]) -> bool:
    """Whether a person saw it: not hidden, not a setting, not for a tool."""
    content, metadata = message.get("content"), message.get("metadata")
    kind = content.get("content_type") if isinstance(content, dict) else None
    is_hidden = isinstance(metadata, dict) and metadata.get("is_visually_hidden_from_conversation") is True
    is_hidden = is_hidden or message.get("weight") == 0
    is_ours = _role(message) != "system" and message.get("recipient") in (None, "all")
    return is_ours and kind is not None and kind not in _SILENT and not is_hidden


def _read_text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if not isinstance(content, dict):
        return ""
    if content.get("content_type") == "code":
        text = parse_text(content.get("text"))
        return f"```\n{text}\n```" if text else ""
    parts = content.get("parts")
    texts = [part for part in parts if isinstance(part, str)] if isinstance(parts, list) else []
    return "\n".join(text for text in texts if text.strip())


def _find_parent(name: str, nodes: Mapping[str, Any], lines: Mapping[str, Any]) -> str | None:
    return _find_kept(str(nodes[name].get("parent")), nodes, lines)


def _find_kept(name: str, nodes: Mapping[str, Any], lines: Mapping[str, Any]) -> str | None:
    """The nearest node that was kept, at this one or above it."""
    for _ in range(len(nodes) + 1):
        if name in lines:
            return name
        if name not in nodes:
            return None
        name = str(nodes[name].get("parent"))
    return None
