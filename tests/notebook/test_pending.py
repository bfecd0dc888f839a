"""PendingSource: nothing at first, then a session, then perhaps another."""

from __future__ import annotations

import threading

import pytest

from curc_llm.client.session import Session
from curc_llm.client.source import LocalSource
from curc_llm.errors import SessionNotReadyError
from curc_llm.notebook.pending import PendingSource
from tests.fakes.fake_session import FakeSession


def test_before_anything_is_chosen_every_question_says_what_to_do() -> None:
    session = Session(PendingSource(advice="Launch one in the widget above."))
    for ask in (lambda: session.chat("Hi"), session.status, lambda: session.base_url):
        with pytest.raises(SessionNotReadyError) as caught:
            ask()
        assert str(caught.value) == "No session is connected yet. Launch one in the widget above."


def test_its_name_paths_and_key_file_can_be_asked_for_even_then() -> None:
    source = PendingSource()
    assert (source.name, source.paths, source.key_file, source.chosen) == ("no session yet", None, None, None)
    assert repr(Session(source)) == "<curc_llm.Session no session yet>"


def test_after_the_choice_the_same_session_answers(fake: FakeSession) -> None:
    source = PendingSource()
    session = Session(source)
    source.choose(LocalSource(fake.paths))
    assert "Hi" in session.chat("Hi")
    assert session.session_id == fake.record.session_id
    assert session.key_file == fake.paths.api_key
    session.close()


def test_whoever_listens_is_told_of_each_choice(fake: FakeSession) -> None:
    source, told = PendingSource(), []
    source.on_choice(lambda: told.append(source.name))
    source.choose(LocalSource(fake.paths))
    source.choose(LocalSource(fake.paths))
    assert told == [fake.record.session_id] * 2


def test_one_can_wait_for_the_choice(fake: FakeSession) -> None:
    source = PendingSource()
    assert not source.wait(0.01)
    threading.Timer(0.05, lambda: source.choose(LocalSource(fake.paths))).start()
    assert source.wait(5)
