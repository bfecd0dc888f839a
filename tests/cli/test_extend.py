"""`curc-llm extend`: which way a session goes on is said, and what the other one is."""

from __future__ import annotations

import pytest

from curc_llm.cli.extend import explain_way


@pytest.mark.parametrize(
    ("is_now", "may_extend", "told"),
    [
        (True, True, "Without --now Slurm would be asked first"),
        (True, False, "as soon as it is ready"),
        (False, True, "if it gives none, another job goes on"),
        (
            False,
            False,
            "Jobs get no more time at this site, so another job goes on, in time; at once with --now",
        ),
    ],
)
def test_each_way_names_the_other_where_there_is_one(is_now: bool, may_extend: bool, told: str) -> None:
    assert told in explain_way(is_now=is_now, may_extend=may_extend)
