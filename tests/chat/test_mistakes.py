from __future__ import annotations

import pytest

from curc_llm.chat.mistakes import CHECKED, CHECKED_OTHER, find_mistakes, render_mistakes
from curc_llm.chat.page_parts import Parts


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("temperature", "9", "Temperature can't be '9': it is a number from 0 to 2."),
        ("other_temperature", "x", "Second column: Temperature can't be 'x': it is a number from 0 to 2."),
        (
            "json_schema",
            '{"properties": {"a": {"$ref": "https://h.example/a.json"}}}',
            (
                "The schema refers to 'https://h.example/a.json', but nothing is fetched: "
                "a $ref is to a place in the schema itself, such as '#/$defs/name'."
            ),
        ),
        ("max_tokens", "-1", "Max. tokens can't be '-1': it is a whole number from 1 to 1,000,000."),
        ("stop", "\n".join(map(str, range(17))), "There are 17 stop texts; up to 16 can be."),
        ("json_schema", "[1]", "The JSON schema is '[1]', but it must be an object: {...}."),
        ("system_prompt", "x" * 100_001, "The system prompt has 100,001 characters; up to 100,000 can be."),
    ],
)
def test_a_wrong_setting_is_told_with_its_value_and_what_is_allowed(
    name: str, text: str, sentence: str
) -> None:
    assert find_mistakes({name: text}) == {name: sentence}


def test_each_field_is_judged_by_itself_and_empty_ones_are_right() -> None:
    values = {"temperature": "", "top_p": "2", "seed": "7", "json_schema": "{", "other_system": None}
    assert set(find_mistakes(values)) == {"top_p", "json_schema"}


def test_the_page_is_told_as_data_never_as_markup() -> None:
    assert "<b>" not in render_mistakes({"temperature": "<b>"})


def test_each_checked_field_is_one_of_the_page() -> None:
    assert set(CHECKED) | set(CHECKED_OTHER) <= set(Parts.__dataclass_fields__)
