from __future__ import annotations

import pytest

from curc_llm.chat.choice import (
    SETTINGS,
    Choice,
    keep_other,
    make_other,
    name_columns,
    read_choice,
    render_settings,
)
from curc_llm.chat.model_facts import ModelFactsShelf
from curc_llm.chat.session_watch import Snapshot
from curc_llm.errors import SettingsError
from curc_llm.session.record import SessionRecord
from tests.fakes.fake_gateway import make_engine, make_record

EMPTY = dict.fromkeys(SETTINGS, "")
SNAPSHOT = Snapshot(SessionRecord.model_validate(make_record(engines=[make_engine(takes_images=True)])))


async def read(snapshot: Snapshot = SNAPSHOT, **values: str) -> Choice:
    return await read_choice({**EMPTY, **values}, snapshot, ModelFactsShelf())


async def test_empty_fields_leave_everything_to_the_model() -> None:
    choice = await read()
    assert choice.to_request() == {"model": "curc-guide"}
    assert choice.to_settings() == {"system": None, "controls": None}
    assert choice.max_model_len == 4096
    assert choice.facts.takes_images is True


async def test_what_was_set_is_sent_and_comes_back_when_the_chat_is_opened() -> None:
    choice = await read(temperature="0.3", stop="END", system_prompt=" Be brief. ", when_full="trim")
    assert choice.to_request() == {"model": "curc-guide", "temperature": 0.3, "stop": ["END"]}
    fields = render_settings(choice.to_settings())
    assert (fields["temperature"], fields["stop"]) == ("0.3", "END")
    assert (fields["system_prompt"].strip(), fields["when_full"]) == ("Be brief.", "trim")


async def test_a_wrong_field_is_named() -> None:
    with pytest.raises(SettingsError, match="Temperature can't be '9'"):
        await read(temperature="9")


async def test_a_model_that_is_gone_gives_way_to_one_that_is_there() -> None:
    assert (await read(model="gone")).model == "curc-guide"


async def test_before_the_model_is_known_nothing_is_claimed() -> None:
    choice = await read(Snapshot())
    assert (choice.model, choice.max_model_len, choice.facts.takes_images) == ("", None, None)


def test_a_chat_with_strange_settings_has_empty_fields() -> None:
    fields = render_settings({"system": 7, "controls": ["x"]})
    assert fields["system_prompt"] == fields["temperature"] == ""
    assert render_settings({"beside": {"other_temperature": 7}})["other_temperature"] == ""


def test_a_second_column_has_its_own_settings_where_they_were_set() -> None:
    values = {"model": "a", "temperature": "0", "compare": True, "other_model": "b", "other_temperature": ""}
    other = make_other({**values, "other_system": ""})
    assert other is not None
    assert (other["model"], other["temperature"]) == ("b", "0")
    assert make_other({**values, "compare": False}) is None


async def test_the_heads_of_two_columns_say_what_differs() -> None:
    first, second = await read(), await read(temperature="0.5", system_prompt="Be brief.")
    assert name_columns(first, first) == ("curc-guide", "curc-guide")
    assert name_columns(first, second) == (
        "curc-guide, temperature default",
        "curc-guide, temperature 0.5, other system prompt",
    )


def test_the_second_columns_settings_belong_to_the_chat_as_the_firsts_do() -> None:
    values = {"compare": True, "other_model": "b", "other_temperature": "1.5", "other_system": ""}
    assert {name: render_settings(keep_other(values))[name] for name in values} == values
    for kept in ({}, keep_other({**values, "compare": False})):
        fields = render_settings(kept)
        assert [fields[name] for name in values] == [False, None, "", ""]
