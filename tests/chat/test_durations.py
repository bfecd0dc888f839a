from __future__ import annotations

import pytest

from curc_llm.chat.durations import render_duration, render_rough_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "59 min 59 s"), (3660, "1 h 1 min")],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    assert render_duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(59, "less than a minute"), (299, "5 min"), (86400, "24 h")])
def test_rough_durations_have_no_seconds(seconds: float, text: str) -> None:
    assert render_rough_duration(seconds) == text
