from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from curc_llm.chat.chat_list_html import render_chat_list, render_found, render_undo
from curc_llm.chats.search import Found, Hit
from curc_llm.chats.summary import ChatSummary

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HOUR_S = 3600
EVIL = '"><img src=x onerror=alert(1)>'


def make_chat(title: str = "Hi", hours_ago: float = 0, **changes: object) -> ChatSummary:
    at = NOW.timestamp() - hours_ago * HOUR_S
    return replace(ChatSummary(title, title, at, at, False, None, 2, "m", 100), **changes)


def headings(html: str) -> list[str]:
    return re.findall(r'<h3 class="curc-group">(.*?)</h3>', html)


def test_chats_stand_under_the_day_they_were_last_used() -> None:
    chats = [
        make_chat("pinned", 9999, is_pinned=True),
        make_chat("this morning", 8),
        make_chat("last night", 10),
        make_chat("this week", 24 * 6),
        make_chat("this month", 24 * 29),
        make_chat("long ago", 24 * 300),
    ]
    shown = render_chat_list(chats, "", NOW)
    assert headings(shown) == ["Pinned", "Today", "Yesterday", "Last 7 days", "Last 30 days", "Older"]


def test_the_day_is_that_of_the_persons_clock() -> None:
    from datetime import timedelta, timezone

    west = NOW.astimezone(timezone(timedelta(hours=-10)))  # there it is still the 21st
    assert headings(render_chat_list([make_chat(hours_ago=8)], "", west)) == ["Today"]
    assert headings(render_chat_list([make_chat(hours_ago=10)], "", NOW)) == ["Yesterday"]


def test_without_chats_the_list_says_so() -> None:
    assert "No saved chats yet" in render_chat_list([], "", NOW)


def test_the_open_chat_is_marked_and_one_without_a_title_has_a_name() -> None:
    shown = render_chat_list([make_chat("one"), make_chat("", chat_id="two")], "one", NOW)
    assert shown.count('aria-current="true"') == 1
    assert "Untitled" in shown


def test_a_long_list_is_shown_in_part() -> None:
    shown = render_chat_list([make_chat(str(n)) for n in range(5)], "", NOW, most=3)
    assert shown.count("curc-open") == 3
    assert "Show more (2 older)" in shown
    assert "Show more" not in render_chat_list([make_chat()], "", NOW)


def test_a_pinned_chat_can_be_unpinned_and_another_pinned() -> None:
    shown = render_chat_list([make_chat("a", is_pinned=True), make_chat("b")], "", NOW)
    assert 'data-curc-do="unpin" data-curc-value="a"' in shown
    assert 'data-curc-do="pin" data-curc-value="b"' in shown


def test_titles_and_snippets_are_text() -> None:
    hit = Hit(make_chat(EVIL), "m", 0, f"{EVIL} weibull", ((len(EVIL) + 1, len(EVIL) + 8),))
    shown = (
        render_chat_list([make_chat(EVIL)], "", NOW)
        + render_undo(EVIL, EVIL)
        + render_found(Found((hit,), 1), "")
    )
    assert "<img" not in shown
    assert "<mark>weibull</mark>" in shown


def test_a_blank_line_in_a_title_ends_no_block() -> None:
    assert "\n" not in render_chat_list([make_chat("a\n\n# b")], "", NOW) + render_undo("a\n\nb", "c")


def test_a_search_says_how_many_there_are() -> None:
    hit = Hit(make_chat(), "", 0, "", ())
    assert "1 chat<" in render_found(Found((hit,), 1), "")
    assert "1,200 chats, the latest 1<" in render_found(Found((hit,), 1200), "")
    assert "No chat has all these words" in render_found(Found((), 0), "")


def test_undo_names_what_was_deleted() -> None:
    shown = render_undo("Dear to me", "c1")
    assert "Deleted “Dear to me”." in shown
    assert 'data-curc-do="restore" data-curc-value="c1"' in shown


def test_chats_of_one_title_length_and_minute_are_told_apart_by_their_seconds() -> None:
    chats = [
        make_chat("Hi", 0.5, chat_id="a"),
        make_chat("Hi", 0.5 - 20 / HOUR_S, chat_id="b"),
        make_chat("Hi", 3, chat_id="c"),
    ]
    shown = render_chat_list(chats, "", NOW)
    assert re.findall(r'<span class="curc-when">(.*?)</span>', shown) == [
        "08:30:00 · 2 messages",
        "08:30:20 · 2 messages",
        "06:00 · 2 messages",
    ]


def test_chats_of_one_title_are_told_apart_and_the_others_stay_as_they_are() -> None:
    chats = [
        make_chat("Hi", 0.5, chat_id="a"),
        make_chat("Hi", 3, chat_id="b", num_messages=1),
        make_chat("Hi", 24 * 40, chat_id="c", num_messages=1200),
        make_chat("Hi", 24 * 400, chat_id="d"),
        make_chat("Alone"),
    ]
    shown = render_chat_list(chats, "", NOW)
    assert re.findall(r'<span class="curc-when">(.*?)</span>', shown) == [
        "08:30 · 2 messages",
        "06:00 · 1 message",
        "13 Oct, 09:00 · 1,200 messages",
        "18 Oct 2025, 09:00 · 2 messages",
    ]
    assert "What to do with “Hi, 06:00 · 1 message”" in shown
    assert "What to do with “Alone”" in shown
