"""Schemas become columns with types."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.batch.fields import Columns, Field, check_names, make_columns
from curc_llm.batch.trouble import BatchInputError


def test_plain_answers_and_vectors_have_one_column() -> None:
    assert make_columns(None) == Columns((Field("answer", "string"),))
    assert make_columns(None, is_vector=True).names == ["embedding", "error", "finish_reason"]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "integer"}, Field("x", "integer")),
        ({"type": ["number", "null"]}, Field("x", "number")),
        ({"type": ["number", "string"]}, Field("x", "")),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, Field("x", "boolean")),
        ({"$ref": "#/$defs/Mood"}, Field("x", "string", ("good", "bad"))),
        ({"anyOf": [{"$ref": "#/$defs/Mood"}, {"type": "null"}]}, Field("x", "string", ("good", "bad"))),
        ({"const": "yes"}, Field("x", "string", ("yes",))),
        ({"enum": [1, 2]}, Field("x", "")),
        ({"$ref": "#/$defs/Loop"}, Field("x", "")),
        ({"$ref": "#/nowhere/at/all"}, Field("x", "")),
        (True, Field("x", "")),
    ],
)
def test_a_field_has_the_type_that_the_schema_says(part: Any, field: Field) -> None:
    defs = {"Mood": {"type": "string", "enum": ["good", "bad"]}, "Loop": {"$ref": "#/$defs/Loop"}}
    schema = {"type": "object", "properties": {"x": part}, "$defs": defs}
    assert make_columns(schema).fields == (field,)


def test_an_answer_that_is_no_object_has_one_typed_column() -> None:
    columns = make_columns({"type": "boolean"})
    assert columns.fields == (Field("answer", "boolean"),)
    assert columns.split(True) == [True]
    assert make_columns({"type": "array"}).split([1, 2]) == [[1, 2]]


def test_fields_that_an_answer_lacks_are_missing() -> None:
    columns = make_columns({"type": "object", "properties": {"a": {}, "b": {}}})
    assert columns.split({"b": 2}) == [None, 2]
    assert columns.split(None) == [None, None]


def test_names_that_the_rows_or_the_results_have_are_told() -> None:
    columns = make_columns({"type": "object", "properties": {"city": {}}})
    with pytest.raises(BatchInputError, match="have a column 'city' already"):
        check_names(columns, ["city"])
    with pytest.raises(BatchInputError, match="may not have the fields 'error'"):
        check_names(make_columns({"type": "object", "properties": {"error": {}}}), [])
