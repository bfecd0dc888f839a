from __future__ import annotations

import datetime as dt
import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from curc_llm.client import Session
from curc_llm.client.tool_call import ToolCall, make_tool_call
from curc_llm.client.tools import (
    MAX_RESULT_CHARACTERS,
    make_parameters,
    make_tools,
    parse_arguments,
    run_tool,
)
from curc_llm.errors import ApiError, ToolError
from tests.fakes.fake_session import FakeSession


class Place(BaseModel):
    lat: float
    lon: float


def add(a: int, b: int = 2) -> int:
    """Adds two numbers.

    It is exact.

    Args:
        a: the first.
        b (int): the second,
            2 when not given.

    Returns:
        The sum.
    """
    return a + b


def weather(place: Place, day: dt.date, unit: Literal["C", "F"] = "C") -> dict[str, Any]:
    return {"lat": place.lat, "day": day, "unit": unit}


def want(name: str, arguments: str, call_id: str = "c1") -> dict[str, Any]:
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [call], "finish_reason": "tool_calls"}


def run(function: Any, arguments: str) -> str:
    return run_tool(make_tools([function]), make_tool_call("c1", function.__name__, arguments))


def test_a_function_is_described_by_its_signature_and_docstring() -> None:
    (tool,) = make_tools([add])
    described = tool.definition["function"]
    assert described["name"] == "add"
    assert described["description"] == "Adds two numbers.\n\nIt is exact."
    assert described["parameters"]["properties"] == {
        "a": {"type": "integer", "description": "the first."},
        "b": {"type": "integer", "default": 2, "description": "the second, 2 when not given."},
    }
    assert described["parameters"]["required"] == ["a"]


def test_types_of_all_kinds_become_json_schema() -> None:
    properties = make_parameters(weather)["properties"]
    assert properties["unit"]["enum"] == ["C", "F"]
    assert properties["day"]["format"] == "date"
    assert "Place" in json.dumps(properties["place"])


def test_a_model_may_ask_for_a_function_and_nothing_is_called(fake: FakeSession, session: Session) -> None:
    fake.replies = [want("add", '{"a": 1}')]
    answer = session.chat("1 + 2?", tools=[add])
    assert answer.tool_calls == (ToolCall("c1", "add", {"a": 1}, '{"a": 1}'),)
    assert answer == ""
    assert answer.finish_reason == "tool_calls"
    assert fake.requests[-1]["body"]["tools"] == [make_tools([add])[0].definition]


def test_a_streamed_wish_is_put_together(fake: FakeSession, session: Session) -> None:
    calls = want("add", '{"a": 1}')["tool_calls"] + want("add", '{"a": 2}', "c2")["tool_calls"]
    fake.replies = [{"content": "Let me see.", "tool_calls": calls}]
    with session.stream("1 + 2?", tools=[add]) as stream:
        assert list(stream) == ["Let me see."]
    assert [(c.call_id, c.name, c.arguments) for c in stream.answer.tool_calls] == [
        ("c1", "add", {"a": 1}),
        ("c2", "add", {"a": 2}),
    ]


def test_what_a_model_asks_for_is_called_and_told_until_it_answers(
    fake: FakeSession, session: Session
) -> None:
    fake.replies = [
        want("add", '{"a": 17, "b": 25}'),
        want("add", '{"a": 42}', "c2"),
        {"content": "It is 44."},
    ]
    answer = session.run_tools("17 + 25 + 2?", [add], system="Be exact.", temperature=0)
    assert answer == "It is 44."
    told = fake.requests[-1]["body"]["messages"]
    assert [m["role"] for m in told] == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert [(m["tool_call_id"], m["content"]) for m in told if m["role"] == "tool"] == [
        ("c1", "42"),
        ("c2", "44"),
    ]
    assert told[2]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 17, "b": 25}'}
    assert answer.messages == [*told, {"role": "assistant", "content": "It is 44."}]
    assert fake.requests[-1]["body"]["temperature"] == 0


def test_pictures_go_along_with_the_first_question(fake: FakeSession, session: Session) -> None:
    fake.replies = [want("add", '{"a": 1}'), {"content": "3"}]
    session.run_tools("What?", [add], images=[b"GIF89a"])
    assert fake.requests[-1]["body"]["messages"][0]["content"][0]["type"] == "image_url"


def test_a_model_that_never_stops_asking_is_stopped(fake: FakeSession, session: Session) -> None:
    fake.replies = [want("add", '{"a": 1}') for _ in range(5)]
    with pytest.raises(ToolError, match="still asks for functions after 2 rounds"):
        session.run_tools("1?", [add], max_rounds=2)
    assert len(fake.replies) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"a": "x"}', "ValidationError"),
        ('{"a": 1, "c": 2}', "ValidationError"),
        ("{}", "ValidationError"),
        ("[1]", "no JSON object"),
        ("not json", "JSONDecodeError"),
    ],
)
def test_bad_arguments_are_told_to_the_model_and_nothing_is_called(arguments: str, told: str) -> None:
    called = []

    def note(a: int) -> None:
        called.append(a)

    assert told in json.loads(run(note, arguments))["error"]
    assert called == []


def test_a_function_that_fails_is_told_to_the_model() -> None:
    def divide(a: float, b: float) -> float:
        return a / b

    assert json.loads(run(divide, '{"a": 1, "b": 0}'))["error"].startswith("ZeroDivisionError: ")


def test_only_what_was_offered_is_called() -> None:
    offered = make_tools([add, {"type": "function", "function": {"name": "described"}}])
    for name in ("exit", "__import__", "described"):
        assert "There is no function" in run_tool(offered, make_tool_call("c", name, "{}"))


def test_arguments_become_what_the_types_say_and_results_become_json() -> None:
    result = run(weather, '{"place": {"lat": 40, "lon": -105}, "day": "2026-11-21"}')
    assert json.loads(result) == {"lat": 40.0, "day": "2026-11-21", "unit": "C"}


def test_results_of_any_kind_can_be_told() -> None:
    def odd() -> Any:
        return {"text": object}

    def plain() -> str:
        return "as it is"

    def long() -> str:
        return "x" * (MAX_RESULT_CHARACTERS + 1)

    assert "class 'object'" in run(odd, "")
    assert run(plain, "") == "as it is"
    assert run(long, "").endswith(f"({MAX_RESULT_CHARACTERS + 1} characters in all)")


def test_an_async_function_is_told_and_not_forgotten() -> None:
    async def later() -> int:
        return 1

    assert "async" in json.loads(run(later, "{}"))["error"]


@pytest.mark.parametrize("given", [lambda x: x, lambda *a: a, 42, "add", print])
def test_what_cannot_be_offered_is_told(given: Any) -> None:
    with pytest.raises(ToolError):
        make_tools([given])


def test_nameless_and_unspeakable_parameters_are_told() -> None:
    def nameless(*numbers: int) -> int:
        return sum(numbers)

    def unspeakable(session: Session) -> None:
        pass

    with pytest.raises(ToolError, match="Name each of them"):
        make_tools([nameless])
    with pytest.raises(ToolError, match="unspeakable can't be offered"):
        make_tools([unspeakable])
    with pytest.raises(ToolError, match="Two tools are called 'add'"):
        make_tools([add, add])


def test_a_method_and_a_docstring_without_sections_are_fine() -> None:
    class Shop:
        def price(self, item: str) -> float:
            """What it costs."""
            return 2.5 if item == "tea" else 3.0

    (tool,) = make_tools([Shop().price])
    assert tool.definition["function"]["description"] == "What it costs."
    assert list(tool.definition["function"]["parameters"]["properties"]) == ["item"]
    assert run_tool([tool], make_tool_call("c", "price", '{"item": "tea"}')) == "2.5"


def test_docstrings_of_odd_shape_are_read_as_far_as_they_go() -> None:
    assert parse_arguments("Args:\n    a: one: two.\n    *rest: others.\n\nReturns:\n    b: no.") == {
        "a": "one: two.",
        "rest": "others.",
    }
    assert parse_arguments("nothing here") == {}


def test_a_model_without_tool_parser_says_what_to_set(fake: FakeSession, session: Session) -> None:
    said = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    fake.refusals = [(400, "BadRequestError", said)]
    with pytest.raises(ApiError, match="set it for the model in your settings"):
        session.chat("1 + 2?", tools=[add])


def test_arguments_that_are_no_json_leave_the_text() -> None:
    for text in ("{", "[1]", "[" * 100_000):
        call = make_tool_call("c", "add", text)
        assert (call.arguments, call.text) == ({}, text)
