from __future__ import annotations

import pytest

from curc_llm.chat.panel_actions import CALM_POLL_S, LONGEST_POLL_S, choose_poll_s


@pytest.mark.parametrize(
    ("is_calm", "num_pages", "expected_s"),
    [(True, 1, 5), (True, 50, 5), (True, 51, 6), (False, 1, 1), (False, 10, 1), (False, 100, 10)],
)
def test_a_hundred_pages_take_turns_to_look_at_the_session(
    is_calm: bool, num_pages: int, expected_s: float
) -> None:
    assert choose_poll_s(is_calm, num_pages) == expected_s


def test_nobody_waits_longer_than_half_a_minute_for_news() -> None:
    assert choose_poll_s(False, 100_000) == choose_poll_s(True, 100_000) == LONGEST_POLL_S > CALM_POLL_S
