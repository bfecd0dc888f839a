from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from curc_llm.client import Session
from curc_llm.client.connection import connect
from curc_llm.errors import CurcLlmError, ParameterError, SettingsError
from curc_llm.notebook.compare import CompareWidget
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def session(fake: FakeSession) -> Iterator[Session]:
    with connect() as found:
        yield found


def bodies(fake: FakeSession) -> list[dict[str, Any]]:
    return [request["body"] for request in fake.requests]


def test_one_question_goes_to_all_at_once(session: Session, fake: FakeSession) -> None:
    both = CompareWidget(
        session, {"temperature": 0}, {"temperature": 1, "label": "wild"}, prompt="Why?", max_tokens=9
    )
    assert both.wait(10)
    assert both.answers == {"temperature 0": "You said: Why?", "wild": "You said: Why?"}
    assert sorted(r["temperature"] for r in bodies(fake)) == [0, 1]
    assert {r["max_tokens"] for r in bodies(fake)} == {9}


def test_the_sessions_models_are_compared_when_nothing_is_said(state_dir: object) -> None:
    with FakeSession(state_dir, models=("a", "b", "c", "d", "e")), connect() as session:  # type: ignore[arg-type]
        assert [c["label"] for c in CompareWidget(session).state["columns"]] == ["a", "b", "c", "d"]


def test_one_model_is_compared_at_two_temperatures(session: Session) -> None:
    labels = [c["label"] for c in CompareWidget(session).state["columns"]]
    assert labels == ["temperature 0", "temperature 1"]


@pytest.mark.parametrize("columns", [("a",), ("a", "b", "c", "d", "e"), ("a", 7)])
def test_what_cant_be_compared_is_refused_in_words(session: Session, columns: tuple[object, ...]) -> None:
    with pytest.raises(SettingsError, match=r"can't be compared"):
        CompareWidget(session, *columns)


@pytest.mark.parametrize("settings", [{}, {"tmperature": 1}])
def test_a_misspelt_parameter_is_told_before_anything_is_asked(
    session: Session, fake: FakeSession, settings: dict[str, Any]
) -> None:
    common = {} if settings else {"tmperature": 1}
    with pytest.raises(ParameterError, match=r"no parameter tmperature\. Did you mean temperature\?"):
        CompareWidget(session, {"temperature": 0}, settings, prompt="Why?", **common)
    assert not fake.requests


def test_one_that_fails_leaves_the_others_alone(session: Session, fake: FakeSession) -> None:
    both = CompareWidget(session, "curc-guide", "nobody", prompt="Why?")
    assert both.wait(10)
    good, bad = both.state["replies"]
    assert good["text"] == "You said: Why?"
    assert "does not exist" in bad["trouble"]["message"]
    assert "curc-guide" in bad["trouble"]["remedy"]


def test_stop_ends_all(session: Session) -> None:
    both = CompareWidget(session, prompt="[slow]")
    while not all("word1" in answer for answer in both.answers.values()):
        time.sleep(0.01)
    with pytest.raises(CurcLlmError, match="still coming"):
        both.ask("Next?")
    both.stop()
    assert not both.is_busy
    assert {r["phase"] for r in both.state["replies"]} == {"stopped"}


def test_all_that_was_asked_is_in_the_table(session: Session) -> None:
    both = CompareWidget(session, prompt="One?")
    both.wait(10)
    both.ask("Two?")
    both.wait(10)
    frame = both.to_frame()
    assert list(frame.question) == ["One?", "One?", "Two?", "Two?"]
    assert list(frame.answer)[2:] == ["You said: Two?"] * 2
    assert set(frame.column) == {"temperature 0", "temperature 1"}


def test_system_prompts_may_differ(session: Session, fake: FakeSession) -> None:
    CompareWidget(session, {"system": "Rhyme."}, {}, system="Be brief.", prompt="Hi").wait(10)
    assert sorted(r["messages"][0]["content"] for r in bodies(fake)) == ["Be brief.", "Rhyme."]


def test_as_text_it_is_question_and_answers(session: Session) -> None:
    both = CompareWidget(session)
    assert "run this cell" in both.render_text()
    both.ask("Why?")
    both.wait(10)
    assert "temperature 1: You said: Why?" in both.render_text()
