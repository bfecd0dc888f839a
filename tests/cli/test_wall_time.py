from __future__ import annotations

import pytest

from curc_llm.cli.wall_time import read_hours


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("4", 4),
        ("1.5", 1.5),
        ("4h", 4),
        ("4 h", 4),
        ("90m", 1.5),
        ("90min", 1.5),
        ("2d", 48),
        ("04:30:00", 4.5),
        ("00:00:36", 0.01),
        ("1-12", 36),
        ("1-12:30", 36.5),
        ("2-00:00:00", 48),
    ],
)
def test_hours_are_read_as_people_and_slurm_write_them(text: str, hours: float) -> None:
    assert read_hours(text) == pytest.approx(hours)


@pytest.mark.parametrize(
    "text",
    ["04:00", "soon", "", "4 hours", "1:2:3:4", "-", "1-", "4h30", "1:99:99", "1:60:00", "0:00:60", "1-24"],
)
def test_what_means_nothing_or_two_things_is_not_read(text: str) -> None:
    assert read_hours(text) is None
