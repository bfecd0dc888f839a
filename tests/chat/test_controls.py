from __future__ import annotations

import json
from typing import Any

import pytest

from curc_llm.chat.controls import Controls, WhenFull, parse_controls, parse_stop, parse_system, read_facts
from curc_llm.chat.reasoning import Reasoning
from curc_llm.chat.sampling import Sampling
from curc_llm.client.parameters import CHAT_PARAMETERS
from curc_llm.errors import CurcLlmError

SCHEMA = '{"type": "object", "properties": {"Größe": {"type": "number"}}}'
ALL = {
    "temperature": "0,2",
    "top_p": "0.9",
    "max_tokens": "256",
    "seed": "7",
    "stop": "###\n\\nUser:",
    "json_schema": SCHEMA,
    "reasoning": "high",
    "when_full": "trim",
}
EFFORT = Reasoning(("low", "medium", "high"))


def test_what_isnt_set_puts_nothing_into_the_request() -> None:
    assert parse_controls({}) == Controls()
    assert (
        parse_controls({"temperature": " ", "stop": "\n \n", "json_schema": " ", "reasoning": ""})
        == Controls()
    )
    assert (Controls().to_request(EFFORT), Controls().to_facts()) == ({}, {})


def test_all_that_is_set_goes_into_the_request() -> None:
    body = parse_controls(ALL).to_request(EFFORT)
    assert body == {
        "temperature": 0.2,
        "top_p": 0.9,
        "max_tokens": 256,
        "seed": 7,
        "stop": ["###", "\nUser:"],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": json.loads(SCHEMA), "strict": True},
        },
        "reasoning_effort": "high",
    }
    assert set(body) <= CHAT_PARAMETERS


def test_a_model_without_that_level_of_reasoning_isnt_told() -> None:
    controls = parse_controls(ALL)
    switch = Reasoning(("off", "on"), "enable_thinking")
    assert "reasoning_effort" not in controls.to_request()
    assert not {"reasoning_effort", "chat_template_kwargs"} & controls.to_request(switch).keys()
    assert parse_controls({"reasoning": "off"}).to_request(switch) == {
        "chat_template_kwargs": {"enable_thinking": False}
    }


def test_they_come_back_from_the_chats_file_and_into_the_fields() -> None:
    controls = parse_controls(ALL)
    assert controls.when_full is WhenFull.TRIM
    assert read_facts(json.loads(json.dumps(controls.to_facts()))) == controls
    assert parse_controls(controls.to_texts()) == controls
    assert parse_controls(Controls().to_texts()) == Controls()


@pytest.mark.parametrize(
    "facts",
    [
        None,
        "warm",
        {"temperature": "warm", "seed": [1], "stop": {"a": 1}, "json_schema": "x", "reasoning": "deep"},
        {"when_full": 3, "json_schema": {"type": "colour"}, "stop": ["x" * 999], "unknown": 1},
    ],
)
def test_a_chat_opens_whatever_its_file_says(facts: Any) -> None:
    found = read_facts(facts)
    assert found.sampling == Sampling()
    assert found.json_schema is None
    assert found.when_full is WhenFull.REFUSE


def test_one_bad_value_doesnt_cost_the_good_ones() -> None:
    assert read_facts({"temperature": 9, "seed": 3}).to_request() == {"seed": 3}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": "3"}, "Temperature can't be '3': it is a number from 0 to 2."),
        ({"stop": "\n".join("abcdefghijklmnopq")}, "There are 17 stop texts; up to 16 can be."),
        ({"stop": "x" * 201}, "has 201 characters; up to 200 can be"),
        ({"json_schema": '{"type": }'}, "The JSON schema is no JSON: line 1, column 10: Expecting value."),
        ({"json_schema": "[1]"}, "The JSON schema is '[1]', but it must be an object"),
        ({"json_schema": '{"type": "colour"}'}, "The schema is no JSON schema: at type"),
        ({"json_schema": "[" * 100_000}, "nested too deeply"),
        ({"json_schema": " " * 100_000 + "{}"}, "has 100,002 characters; it may have up to 100,000"),
        ({"reasoning": "deeply"}, "Reasoning can't be 'deeply'. It is one of off, on, none, "),
        ({"when_full": "explode"}, "It is one of refuse, trim, summarise."),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(values: dict[str, str], words: str) -> None:
    with pytest.raises(CurcLlmError) as caught:
        parse_controls(values)
    assert words in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("a\r\nb\n\na", ("a", "b")),
        (" a ", (" a ",)),
        ("\\n", ("\n",)),
        ("\\\\n", ("\\n",)),
        ("\\t\\r", ("\t\r",)),
        ("a\u2028b", ("a\u2028b",)),
    ],
)
def test_stop_texts_stand_one_a_line(text: str, stops: tuple[str, ...]) -> None:
    assert parse_stop(text) == stops
    assert parse_controls(Controls(stop=stops).to_texts()).stop == stops


def test_a_system_prompt_has_bounds() -> None:
    assert parse_system(" Be brief.\n") == "Be brief."
    with pytest.raises(CurcLlmError, match="100,001 characters"):
        parse_system("x" * 100_001)
