from __future__ import annotations

import threading

import pytest

from curc_llm.client import Session
from curc_llm.client.stream import Piece
from curc_llm.errors import ApiError
from tests.fakes.fake_session import FakeSession

ABORT_TIMEOUT_S = 5


def test_a_stream_gives_text_piece_by_piece_and_then_the_answer(session: Session) -> None:
    with session.stream("one two") as stream:
        pieces = list(stream)
    assert pieces == ["You", " said:", " one", " two"]
    assert stream.answer == "You said: one two"
    assert stream.answer.usage is not None
    assert stream.answer.finish_reason == "stop"


def test_reasoning_is_kept_apart_from_the_text(session: Session) -> None:
    stream = session.stream("hm [think]")
    assert next(stream.pieces()) == Piece("reasoning", "Let me think.")
    list(stream)
    assert stream.answer == "You said: hm [think]"
    assert stream.answer.reasoning == "Let me think."


def test_closing_a_stream_ends_the_generation(fake: FakeSession, session: Session) -> None:
    stream = session.stream("[slow]")
    assert next(iter(stream)) == "You"
    stream.close()
    assert fake.aborted.wait(ABORT_TIMEOUT_S)
    assert list(stream) == []


def test_a_stream_that_another_thread_closes_just_ends(session: Session) -> None:
    stream = session.stream("[slow]")
    pieces = iter(stream)
    next(pieces)
    timer = threading.Timer(0.15, stream.close)
    timer.start()
    assert next(pieces) == " said:"
    list(pieces)
    timer.join()


def test_a_loop_that_is_left_early_ends_the_generation(fake: FakeSession, session: Session) -> None:
    for _ in session.stream("[slow]"):
        break
    assert fake.aborted.wait(ABORT_TIMEOUT_S)


def test_an_answer_that_breaks_off_is_an_error_and_what_came_is_kept(session: Session) -> None:
    stream = session.stream("hello [cut]")
    with pytest.raises(ApiError, match="broke off"):
        list(stream)
    assert stream.answer == "You said: hello [cut]"


def test_an_error_inside_a_stream_is_told_in_its_own_words(session: Session) -> None:
    with pytest.raises(ApiError, match=r"The engine died\.") as caught:
        list(session.stream("[error]"))
    assert caught.value.code == "engine_failed"
