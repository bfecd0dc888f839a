from __future__ import annotations

from typing import Any, cast

from curc_llm.notebook.compare_column import make_column

SESSION = cast(Any, None)


def test_a_column_is_called_what_makes_it_different() -> None:
    assert make_column(SESSION, "a").label == "a"
    assert make_column(SESSION, {"temperature": 0}).label == "temperature 0"
    assert make_column(SESSION, {"model": "a", "top_p": 0.5}).label == "a, top_p 0.5"
    assert make_column(SESSION, {"model": "a", "label": "mine"}).label == "mine"
    assert make_column(SESSION, {}).label == "default"


def test_a_long_system_prompt_is_cut_in_the_detail() -> None:
    column = make_column(
        SESSION, {"system": "Answer as a pirate would, in rhymes, always.", "label": "pirate"}
    )
    assert column.detail == "“Answer as a pirate would, in rhymes, alw…”"


def test_what_the_label_says_isnt_said_twice() -> None:
    assert make_column(SESSION, {"temperature": 0}).detail == ""
    assert make_column(SESSION, {"temperature": 0, "label": "cold"}).detail == "temperature 0"
