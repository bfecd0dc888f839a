from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.errors import MagicError
from curc_llm.notebook.interpolation import interpolate, look_up


class Sample:
    name = "quartz"

    @property
    def broken(self) -> str:
        raise RuntimeError("no detector")

    def weigh(self) -> str:
        raise AssertionError("a prompt called something")


NAMES: dict[str, Any] = {
    "x": 2.0,
    "i": 1,
    "xs": ["a", "b", "c"],
    "d": {"k": {"deep": 7}, "two words": 8, "1": "text"},
    "sample": Sample(),
    "o": SimpleNamespace(a=SimpleNamespace(b="inner")),
    "table": pd.DataFrame({"mass": [1.5, 2.5]}),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{x}", "2.0"),
        ("{x:.3f} g", "2.000 g"),
        ("{xs[0]}{xs[-1]}{xs[i]}", "acb"),
        ("{xs[:2]}", "['a', 'b']"),
        ("{d['k']['deep']}, {d[\"two words\"]}, {d['1']}", "7, 8, text"),
        ("{o.a.b}", "inner"),
        ("{sample.name}", "quartz"),
        ("{table.shape[0]} rows, {table['mass'][1]:.1f}", "2 rows, 2.5"),
        ("{table.loc[0, 'mass']}", "1.5"),
        ("{table[['mass']].shape}", "(2, 1)"),
    ],
)
def test_names_attributes_and_items_are_filled_in(text: str, expected: str) -> None:
    assert interpolate(text, NAMES) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": {"c": [1, 2]}}',
        '{"a": {"b": {"c": 1}}}',
        "for (;;) { return; }",
        "x^{n+1} and {1, 2}",
        "{}",
        "{ x }",
        "{a, b}",
        "an open { brace\n} over two lines",
        "{'a': 1}",
        "}} and }",
    ],
)
def test_braces_around_anything_else_stay_as_they_are(text: str) -> None:
    assert interpolate(text, NAMES) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{x}}", "{x}"),
        ("{{{x}}}", "{2.0}"),
        ('{{"mass": {x}}}', '{"mass": 2.0}'),
        ('{{"a": {{"b": {x}}}}}', '{"a": {"b": 2.0}}'),
    ],
)
def test_double_braces_are_literal_ones(text: str, expected: str) -> None:
    assert interpolate(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{missing}", "no variable missing"),
        ("{sample.weigh()}", "calls nothing"),
        ("{open('/etc/passwd').read()}", "calls nothing"),
        ("{xs[9]}", "IndexError"),
        ("{d['nothing']}", "KeyError"),
        ("{sample.weight}", "AttributeError"),
        ("{sample.broken}", "no detector"),
        ("{sample.__class__}", "private"),
        ("{xs[x()]}", "calls nothing"),
        ("{xs[i + 1]}", "no variable, attribute or item"),
        ("{xs:.2f}", "can't be written"),
    ],
)
def test_what_can_not_be_filled_in_is_told_in_a_sentence(text: str, told: str) -> None:
    with pytest.raises(MagicError) as trouble:
        interpolate(text, NAMES)
    assert told in trouble.value.message


def test_a_missing_name_says_how_to_write_braces() -> None:
    with pytest.raises(MagicError, match=r"--raw"):
        interpolate(r"\frac{a}{b}", NAMES)


@given(st.text(alphabet="{}[]().:'\"ax1 \n\\", max_size=30))
def test_no_text_whatever_ends_in_another_error(text: str) -> None:
    with contextlib.suppress(MagicError):
        assert isinstance(interpolate(text, {"a": "b"}), str)


def test_a_path_is_looked_up_and_nothing_else_is() -> None:
    assert look_up("d['k']", NAMES) == {"deep": 7}
    for path in ("sample.weigh()", "1 + 1", "no such", "missing"):
        with pytest.raises(MagicError):
            look_up(path, NAMES)
