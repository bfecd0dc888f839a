from __future__ import annotations

import pytest

from curc_llm.chats.timing import Timing, render_speed


def test_times_begin_when_the_question_is_sent() -> None:
    timing = Timing(sent_at=1.0)
    assert (timing.first_token_s, timing.tokens_per_s, timing.reasoning_s) == (None, None, None)
    timing.note_piece(is_text=True, now=1.5)
    timing.note_piece(is_text=True, now=3.5)
    assert (timing.first_token_s, timing.tokens_per_s, timing.tokens) == (0.5, 0.5, 2)


def test_an_answer_without_reasoning_has_no_time_of_reasoning() -> None:
    timing = Timing(sent_at=1.0)
    timing.note_piece(is_text=True, now=2.0)
    assert timing.reasoning_s is None


def test_reasoning_ends_with_the_first_piece_of_the_text() -> None:
    timing = Timing(sent_at=0.0)
    for now in (1.0, 2.0):
        timing.note_piece(is_text=False, now=now)
        assert timing.reasoning_s is None
    for now in (4.0, 9.0):
        timing.note_piece(is_text=True, now=now)
    assert timing.reasoning_s == 3.0


def test_what_comes_in_one_packet_tells_no_speed() -> None:
    assert Timing(sent_at=0.0, first_at=1.0, last_at=1.1, deltas=50).tokens_per_s is None
    assert Timing(sent_at=0.0, first_at=1.0, last_at=1.25, deltas=50).tokens_per_s == 196.0


def test_the_clock_is_asked_when_no_time_is_given() -> None:
    timing = Timing()
    timing.note_piece(is_text=True)
    assert timing.first_token_s is not None
    assert timing.first_token_s >= 0


@pytest.mark.parametrize(
    ("speed", "words"), [(0.123, "0.123 tokens/s"), (50.0, "50 tokens/s"), (99.96, "100 tokens/s")]
)
def test_speeds_have_three_figures(speed: float, words: str) -> None:
    assert render_speed(speed) == words
