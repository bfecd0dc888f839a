from __future__ import annotations

import pytest

from curc_llm.notebook.explain import make_question, render_traceback


def fail() -> None:
    secret = "not to be told"
    {"Longs Peak": 4346}["Longs peak"]
    print(secret)


def dive(depth: int) -> None:
    if depth == 0:
        raise ValueError("the bottom")
    dive(depth - 1) if depth % 2 else rise(depth)


def rise(depth: int) -> None:
    dive(depth - 1)


def catch(function, *args) -> BaseException:
    with pytest.raises((KeyError, ValueError, RuntimeError)) as caught:
        function(*args)
    return caught.value


def test_the_question_has_the_traceback_and_no_values_of_variables() -> None:
    question = make_question(catch(fail))
    assert "KeyError: 'Longs peak'" in question
    assert "test_explain.py" in question
    assert question.startswith("What went wrong, and how do I mend it?")
    assert "secret" not in question


def test_a_question_of_ones_own_replaces_the_usual_one() -> None:
    assert make_question(catch(fail), "Why the key?").startswith("Why the key?\n")


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    lines = render_traceback(catch(dive, 80), max_lines=20).splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("Traceback")
    assert "lines left out" in lines[5]
    assert lines[-1] == "ValueError: the bottom"


def test_the_cause_is_told_too() -> None:
    def wrap() -> None:
        try:
            fail()
        except KeyError as error:
            raise RuntimeError("no height") from error

    text = render_traceback(catch(wrap))
    assert "KeyError" in text
    assert text.endswith("RuntimeError: no height")
