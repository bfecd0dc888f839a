"""The list of saved chats as HTML. Titles come from outside: all are escaped here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from curc_llm.chat.escaping import escape_line
from curc_llm.chats.search import Found, Hit
from curc_llm.chats.summary import ChatSummary

SHOWN_AT_FIRST = 60
EXPORTS = (("markdown", "Markdown"), ("json", "JSON"), ("notebook", "Notebook"))


def render_chat_list(
    chats: Sequence[ChatSummary], current: str, now: datetime, most: int = SHOWN_AT_FIRST
) -> str:
    """Writes the list, by date.

    Args:
        chats: pinned ones first, then the latest first.
        current: id of the chat that is open.
        now: with a time zone; what is today depends on it.
        most: how many to show.
    """
    if not chats:
        return '<p class="curc-none">No saved chats yet. Each one is kept from its first message on.</p>'
    shown = chats[:most]
    whens = tell_apart(shown, now)
    parts = []
    for name, group in groupby(shown, lambda one: name_group(one, now)):
        items = "".join(_render_chat(one, current, whens.get(one.chat_id, "")) for one in group)
        parts.append(f'<h3 class="curc-group">{name}</h3><ul class="curc-list">{items}</ul>')
    if len(chats) > most:
        parts.append(
            f'<button type="button" class="curc-plain" data-curc-do="more" data-curc-value="{most}">'
            f"Show more ({len(chats) - most:,} older)</button>"
        )
    return "".join(parts)


def render_found(found: Found, current: str) -> str:
    """Writes what a search found."""
    if not found.num_chats:
        return '<p class="curc-none" role="status">No chat has all these words.</p>'
    count = "1 chat" if found.num_chats == 1 else f"{found.num_chats:,} chats"
    more = f", the latest {len(found.hits)}" if len(found.hits) < found.num_chats else ""
    items = "".join(_render_chat(hit.summary, current, snippet=_render_snippet(hit)) for hit in found.hits)
    return f'<p class="curc-none" role="status">{count}{more}</p><ul class="curc-list">{items}</ul>'


def render_undo(title: str, chat_id: str) -> str:
    """Writes what stands above the list after a chat was deleted."""
    return (
        f'<p class="curc-undo" role="status">Deleted “{escape_line(title or "Untitled")}”. '
        '<button type="button" class="curc-link" data-curc-do="restore" '
        f'data-curc-value="{escape_line(chat_id)}">Undo</button></p>'
    )


def name_group(chat: ChatSummary, now: datetime) -> str:
    """Under which heading a chat stands.

    Example:
        >>> name_group(summary_of_yesterday, now)                              # doctest: +SKIP
        'Yesterday'
    """
    if chat.is_pinned:
        return "Pinned"
    day = datetime.fromtimestamp(chat.updated_at, now.tzinfo).date()
    for name, days in (("Today", 0), ("Yesterday", 1), ("Last 7 days", 7), ("Last 30 days", 30)):
        if day >= now.date() - timedelta(days=days):
            return name
    return "Older"


def tell_apart(chats: Sequence[ChatSummary], now: datetime) -> dict[str, str]:
    """What tells chats of the same title from each other, by their ids; to the second where minutes don't.

    Args:
        chats: of the list.
        now: with a time zone.
    """
    titles = Counter(chat.title for chat in chats)
    whens = {chat.chat_id: render_when(chat, now) for chat in chats if titles[chat.title] > 1}
    rows = Counter((chat.title, whens.get(chat.chat_id)) for chat in chats)
    same = [chat for chat in chats if chat.chat_id in whens and rows[chat.title, whens[chat.chat_id]] > 1]
    return whens | {chat.chat_id: render_when(chat, now, "%H:%M:%S") for chat in same}


def render_when(chat: ChatSummary, now: datetime, clock: str = "%H:%M") -> str:
    """What tells a chat from another one of the same title.

    Example:
        >>> render_when(summary_of_this_morning, now)                          # doctest: +SKIP
        '08:15 · 4 messages'
    """
    at = datetime.fromtimestamp(chat.updated_at, now.tzinfo)
    year = "" if at.year == now.year else f" {at.year}"
    day = "" if at.date() == now.date() else f"{at.day} {at:%b}{year}, "
    count = "1 message" if chat.num_messages == 1 else f"{chat.num_messages:,} messages"
    return f"{day}{at:{clock}} · {count}"


def _render_chat(chat: ChatSummary, current: str, when: str = "", snippet: str = "") -> str:
    chat_id, title = escape_line(chat.chat_id), escape_line(chat.title or "Untitled")
    label = f"{title}, {when}" if when else title
    second = f'<span class="curc-when">{when}</span>' if when else ""
    mark = ' aria-current="true"' if chat.chat_id == current else ""
    return (
        f'<li class="curc-item"{mark}><button type="button" class="curc-open" data-curc-do="open" '
        f'data-curc-value="{chat_id}" title="{title}">{title}{second}{snippet}</button>'
        f'<details class="curc-menu"><summary aria-label="What to do with “{label}”">⋯</summary>'
        f'<div class="curc-menu-items">{"".join(_render_actions(chat, chat_id, title))}</div></details></li>'
    )


def _render_actions(chat: ChatSummary, chat_id: str, title: str) -> Iterable[str]:
    def button(do: str, value: str, label: str, more: str = "") -> str:
        return f'<button type="button" data-curc-do="{do}" data-curc-value="{value}"{more}>{label}</button>'

    yield button("rename", chat_id, "Rename", f' data-curc-ask="New title" data-curc-text="{title}"')
    yield button("unpin", chat_id, "Unpin") if chat.is_pinned else button("pin", chat_id, "Pin")
    for kind, label in EXPORTS:
        yield button("export", f"{chat_id} {kind}", f"Export as {label}")
    yield button("delete", chat_id, "Delete")


def _render_snippet(hit: Hit) -> str:
    parts, end = [], 0
    for start, stop in hit.marks:
        parts += [escape_line(hit.snippet[end:start]), f"<mark>{escape_line(hit.snippet[start:stop])}</mark>"]
        end = stop
    text = "".join([*parts, escape_line(hit.snippet[end:])])
    return f'<span class="curc-snippet">{text}</span>' if text else ""
