from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from curc_llm.client import Session
from curc_llm.client.schema import make_schema
from curc_llm.errors import SchemaError
from tests.fakes.fake_session import FakeSession

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
}


class Person(BaseModel):
    name: str
    age: int = Field(ge=0)


@dataclass
class Point:
    x: float
    y: float


class Word(TypedDict):
    word: str


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (PERSON, '{"name": "Ada", "age": 36}', {"name": "Ada", "age": 36}),
        (Person, '{"name": "Ada", "age": 36}', Person(name="Ada", age=36)),
        (Point, '{"x": 1, "y": 2.5}', Point(1.0, 2.5)),
        (Word, '{"word": "a"}', {"word": "a"}),
        (list[str], '["a", "b"]', ["a", "b"]),
        (list[Person], '[{"name": "A", "age": 1}]', [Person(name="A", age=1)]),
        (Literal["yes", "no"], '"yes"', "yes"),
        (Colour, '"blue"', Colour.BLUE),
        (int | None, "null", None),
        (dict[str, int], ' {"a": 1}\n', {"a": 1}),
    ],
)
def test_an_answer_comes_back_in_the_shape_that_was_asked_for(
    fake: FakeSession, session: Session, schema: Any, text: str, value: Any
) -> None:
    fake.replies = [{"content": text}]
    assert session.json("Who?", schema, temperature=0) == value
    sent = fake.requests[-1]["body"]["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"] == make_schema(schema).definition
    assert fake.requests[-1]["body"]["temperature"] == 0


async def test_it_can_be_awaited(fake: FakeSession, session: Session) -> None:
    fake.replies = [{"content": "[1]"}]
    assert await session.ajson("Which?", list[int]) == [1]
    await session.aclose()


@pytest.mark.parametrize(
    ("schema", "text", "told"),
    [
        (PERSON, '{"name": "Ada"}', "'age' is a required property"),
        (PERSON, '{"name": "Ada", "age": -1}', "age: -1 is less than the minimum"),
        (Person, '{"name": "Ada", "age": -1}', "age: Input should be greater"),
        (Person, "[]", "doesn't fit"),
        (list[int], '["x"]', "0: Input should be a valid integer"),
        (PERSON, "Sure! Here is the JSON.", "is no JSON"),
        (PERSON, "", "is no JSON"),
        ({"type": "number"}, "NaN", "is no JSON"),
        ({}, "[" * 100_000, "is no JSON"),
        ({}, "1" * 10_000, "is no JSON"),
    ],
)
def test_an_answer_that_does_not_fit_is_told_with_its_text(
    fake: FakeSession, session: Session, schema: Any, text: str, told: str
) -> None:
    fake.replies = [{"content": text}]
    with pytest.raises(SchemaError, match=told) as caught:
        session.json("Who?", schema)
    assert caught.value.text == text
    assert len(str(caught.value)) < 500


def test_an_answer_that_was_cut_off_says_so(fake: FakeSession, session: Session) -> None:
    fake.replies = [{"content": '{"name": "Ad', "finish_reason": "length"}]
    with pytest.raises(SchemaError, match=r"cut off.*Raise max_tokens"):
        session.json("Who?", PERSON)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "strnig"}, "at type, 'strnig'"),
        ({"type": object()}, "is no JSON"),
        ({"minimum": float("nan")}, "is no JSON"),
        ({"properties": {"a": {"required": "yes"}}}, "properties.a.required"),
        ("a person", "is no schema"),
        (42, "is no schema"),
        (list[object], ""),
    ],
)
def test_what_is_no_schema_is_refused_before_anything_is_sent(
    fake: FakeSession, session: Session, schema: Any, told: str
) -> None:
    if told == "":
        fake.replies = [{"content": "[1]"}]
        assert session.json("Who?", schema) == [1]
        return
    with pytest.raises(SchemaError, match=told) as caught:
        session.json("Who?", schema)
    assert caught.value.text == ""
    assert [r for r in fake.requests if r["path"].startswith("/v1/chat")] == []


def test_no_reference_is_fetched_from_the_network(fake: FakeSession) -> None:
    with pytest.raises(SchemaError, match="nothing is fetched"):
        make_schema({"anyOf": [{"items": {"$ref": f"{fake.url}/schema.json"}}]})
    assert fake.requests == []


def test_a_field_or_a_value_that_is_called_ref_is_no_reference() -> None:
    value = {"$ref": "https://h.example/a.json"}
    definition = {"properties": {"$ref": {"type": "string"}}, "default": value}
    assert make_schema(definition).parse('{"$ref": "x"}') == {"$ref": "x"}


def test_references_inside_the_schema_work() -> None:
    definition = {"$defs": {"n": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/n"}}
    schema = make_schema(definition)
    assert schema.parse("[1, 2]") == [1, 2]
    with pytest.raises(SchemaError, match="is not of type"):
        schema.parse('["a"]')


def test_its_name_is_one_that_the_api_takes() -> None:
    title = "Sätze & mehr " * 20
    name = make_schema({"title": title, "type": "string"}).response_format["json_schema"]["name"]
    assert name.startswith("S_tze___mehr_")
    assert len(name) == 64
    assert make_schema(list[int]).response_format["json_schema"]["name"] == "answer"


def test_a_schema_is_not_changed_by_what_happens_to_the_dict() -> None:
    given: dict[str, Any] = {"type": "object", "properties": {}}
    schema = make_schema(given)
    given["properties"]["a"] = {"type": "string"}
    assert schema.definition == {"type": "object", "properties": {}}
    assert make_schema(schema) is schema
