from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from curc_llm.client import Session
from curc_llm.client.answer import Answer
from curc_llm.client.connection import connect
from curc_llm.client.stream import Piece
from curc_llm.notebook.markdown import MarkdownView
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def session(fake: FakeSession) -> Iterator[Session]:
    with connect() as found:
        yield found


def test_a_text_is_shown_as_it_is() -> None:
    view = MarkdownView("# Hello")
    assert view.state["reply"]["text"] == "# Hello"
    assert view.state["reply"]["phase"] == "done"
    assert view.state["reply"]["line"] == ""
    assert view.render_text() == "# Hello"


def test_pieces_add_up() -> None:
    view = MarkdownView()
    view.add(Piece("reasoning", "Hm."))
    view.add(Piece("text", "One "))
    view.add(Piece("text", "two"))
    view.finish(Answer("One two"))
    assert view.text == "One two"
    assert view.state["reply"]["thought"] == "Hm."
    assert view.state["reply"]["phase"] == "done"


def test_an_answer_that_was_broken_off_is_over() -> None:
    view = MarkdownView()
    view.add(Piece("text", "One"))
    view.finish()
    assert view.state["reply"]["phase"] == "stopped"


def test_setting_a_longer_text_sends_what_is_new() -> None:
    view = MarkdownView()
    view.text = "One"
    time.sleep(0.12)
    view.text = "One two"
    time.sleep(0.12)
    assert view.live["parts"][0]["text"] == " two"
    view.text = "Other"
    assert view.state["reply"]["text"] == "Other"


def test_an_answer_that_failed_says_why_where_there_are_no_widgets(
    session: Session, fake: FakeSession
) -> None:
    fake.refusals.append((400, "bad_request", "temperature must be at least 0."))
    view = MarkdownView().ask(session, "Hi")
    assert view.wait(10)
    assert "temperature must be at least 0." in view.render_text()


def test_it_can_ask_by_itself(session: Session, fake: FakeSession) -> None:
    view = MarkdownView().ask(session, "Hi", system="Be brief.", temperature=0)
    assert view.wait(10)
    assert view.text == "You said: Hi"
    assert fake.requests[-1]["body"]["temperature"] == 0


def test_the_pages_stop_ends_it(session: Session, fake: FakeSession) -> None:
    view = MarkdownView().ask(session, "[slow]")
    while "word1" not in view.text:
        time.sleep(0.01)
    view._act("stop", None)
    assert view.wait(0)
    assert fake.aborted.wait(1)
