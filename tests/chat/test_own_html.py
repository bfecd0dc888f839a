"""All HTML that we write ourselves: text from outside stays text in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from curc_llm.attachments import Attachment
from curc_llm.chat.acts import render_acts
from curc_llm.chat.chat_list_html import render_chat_list, render_found, render_undo
from curc_llm.chat.chips import render_chips
from curc_llm.chat.engine_figures import EngineFigures
from curc_llm.chat.panel_html import render_banner, render_header
from curc_llm.chat.session_html import SessionView, render_session
from curc_llm.chat.session_panel import Banner
from curc_llm.chat.session_watch import Snapshot
from curc_llm.chats.search import Found, Hit
from curc_llm.chats.summary import ChatSummary
from curc_llm.session.record import SessionRecord
from tests.fakes.fake_gateway import make_record
from tests.fakes.hostile_outputs import load_hostile_outputs
from tests.fakes.html_skeleton import find_markup, read_skeleton

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def make_chat(title: str) -> ChatSummary:
    return ChatSummary("20261122-000000-0123456789ab", title, 0.0, 0.0, False, None, 2, "m", 100)


def list_chat(title: str) -> str:
    return render_chat_list([make_chat(title)], "", NOW)


def find_chat(snippet: str, title: str = "t") -> str:
    return render_found(Found([Hit(make_chat(title), "1", 0, snippet, ((0, 1),))], 1), "")


def attach(**changes: Any) -> str:
    return render_chips([Attachment(**{"name": "n", "kind": "text", "text": "x", "key": "k", **changes})])


def show_session(logs: str = "", is_in_portal: bool = False, **changes: Any) -> str:
    snapshot = Snapshot(record=SessionRecord.model_validate(make_record(**changes)))
    return render_session(SessionView(snapshot, EngineFigures(), logs=logs, is_in_portal=is_in_portal))


RENDERERS: dict[str, Callable[[str], str]] = {
    "model name": lambda text: render_header(text, "ready", is_well=True),
    "status": lambda text: render_header("m", text, is_well=False),
    "banner title": lambda text: render_banner(Banner("trouble", text)),
    # Backticks stand for code there, by our own wish.
    "banner detail": lambda text: render_banner(Banner("busy", "x", text.replace("`", "'"))),
    "chat title": list_chat,
    "chat title in what was found": lambda text: find_chat("snippet", text),
    "snippet": find_chat,
    "deleted chat": lambda text: render_undo(text, "id"),
    "attachment's name": lambda text: attach(name=text),
    "attachment's note": lambda text: attach(note=text),
    "session's name": lambda text: show_session(session_id=text),
    "host": lambda text: show_session(host=text),
    "endpoint": lambda text: show_session(base_url=text),
    "folder of the logs": lambda text: show_session(logs=text),
    "folder of the logs in the portal": lambda text: show_session(logs=text, is_in_portal=True),
    "title for the page's script": lambda text: render_acts({"act": "chat", "title": text}),
    "paths for the page's script": lambda text: render_acts({"act": "paths", "items": [[text, text, ""]]}),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", RENDERERS)
def test_text_from_outside_adds_no_markup_and_ends_no_block(place: str) -> None:
    entries = load_hostile_outputs("http://127.0.0.1:9")
    assert find_markup(RENDERERS[place], [entry for entry in entries if len(entry.markdown) < 50_000]) == []


@pytest.mark.parametrize(
    "render",
    [
        lambda text: f"<div>{text}</div>",
        lambda text: f"<span>{len(text)}</span>",
        lambda text: '<div title="{}">x</div>'.format(text.replace("<", "&lt;").replace("\n", " ")),
    ],
)
def test_a_renderer_that_forgets_to_escape_is_found(render: Callable[[str], str]) -> None:
    assert len(find_markup(render, load_hostile_outputs("http://127.0.0.1:9"))) > 10


def test_commands_between_backticks_are_code() -> None:
    html = render_banner(Banner("trouble", "x", "Run `a <b>` now"))
    assert ("code", ()) in read_skeleton(html)
    assert "<code>a &lt;b&gt;</code>" in html
