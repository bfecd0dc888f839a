"""A question to a session that still loads waits, and says so in its cell."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from curc_llm.client.session import Session
from curc_llm.client.source import LocalSource
from curc_llm.notebook.waiting import Waiting
from tests.fakes.fake_session import FakeSession


class Line:
    """What IPython gives for a display that can be changed."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def update(self, bundle: dict[str, str], **_: Any) -> None:
        self.told.append(bundle["text/plain"])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def display(bundle: dict[str, str], **_: Any) -> Line:
        lines.append(bundle["text/plain"])
        return Line(lines)

    monkeypatch.setattr("IPython.display.display", display)
    return lines


@pytest.mark.slow
def test_the_question_is_answered_once_the_model_is_ready(fake: FakeSession, told: list[str]) -> None:
    fake.load()
    threading.Timer(0.3, fake.get_ready).start()
    with Session(LocalSource(fake.paths), wait=Waiting()) as session:
        assert "Hi" in session.chat("Hi")
    assert told[0].startswith("Waiting for the model. curc-guide: loading 40 %")
    assert told[-1] == ""


def test_without_waiting_nothing_is_shown(fake: FakeSession, told: list[str]) -> None:
    with Session(LocalSource(fake.paths), wait=Waiting()) as session:
        session.chat("Hi")
    assert told == []
