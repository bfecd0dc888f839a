from __future__ import annotations

import pytest

from curc_llm.chat.commands import Command, parse_command


def test_a_click_has_a_name_a_value_and_what_was_written() -> None:
    text = '{"do": "rename", "value": "c1", "text": "New", "n": 3}'
    assert parse_command(text) == Command("rename", "c1", "New", 3)


@pytest.mark.parametrize(
    "text", ["", "open", "[]", "1", "null", '{"do": 1}', "{", "[" * 100_000, '{"value": "x"}']
)
def test_anything_else_is_no_command(text: str) -> None:
    assert parse_command(text) is None


def test_values_that_are_no_text_count_as_none() -> None:
    assert parse_command('{"do": "open", "value": {"a": 1}, "text": null}') == Command("open")
