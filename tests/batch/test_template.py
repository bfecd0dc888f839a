"""Templates: a column's name in braces, and nothing else that could be looked up."""

from __future__ import annotations

import pytest

from curc_llm.batch.template import parse_template
from curc_llm.batch.trouble import BatchInputError


@pytest.mark.parametrize(
    ("template", "row", "prompt"),
    [
        ("Summarise: {text}", {"text": "a {b}"}, "Summarise: a {b}"),
        ("{Patient note} ({n:.1f})", {"Patient note": "ill", "n": 2}, "ill (2.0)"),
        ('{{"x": "{a}"}}', {"a": 1}, '{"x": "1"}'),
        ("{a}{a}", {"a": "z"}, "zz"),
        ("{a.b} {c[0]}", {"a.b": 1, "c[0]": 2}, "1 2"),
    ],
)
def test_a_template_is_filled_from_a_row(template: str, row: dict[str, object], prompt: str) -> None:
    assert parse_template(template).fill(row) == prompt


def test_columns_are_named_once_each() -> None:
    assert parse_template("{a} {b} {a}").columns == ("a", "b")


@pytest.mark.parametrize("template", ["{", "no place", "{} x", "{0} x", "{a!}", 7])
def test_a_template_that_is_none_is_told(template: str) -> None:
    with pytest.raises(BatchInputError, match="template") as error:
        parse_template(template)
    assert "{column}" in error.value.remedy


def test_a_column_that_there_is_none_of_is_told_with_those_that_are() -> None:
    with pytest.raises(BatchInputError, match=r"names \{abstract\}, and there is no such column") as error:
        parse_template("{abstract}").check_columns(["title", "text"])
    assert error.value.remedy == "The columns are: title, text."
