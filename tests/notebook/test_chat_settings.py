from __future__ import annotations

import pytest

from curc_llm.errors import SettingsError
from curc_llm.notebook.chat_settings import ChatSettings


def test_numbers_are_read_as_people_write_them() -> None:
    settings = ChatSettings().change({"temperature": "0,2", "max_tokens": " 30 ", "seed": 7, "top_p": None})
    assert settings.sampling.to_json() == {"temperature": 0.2, "max_tokens": 30, "seed": 7}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"temperature": "hot"}, "Temperature can't be 'hot'"),
        ({"top_p": "2"}, "Top-p can't be '2'"),
        ({"max_tokens": "0"}, "Max. tokens can't be '0': it is a whole number from 1 to 1,000,000."),
        ({"colour": "red"}, "no setting 'colour'"),
        ({"system": "x" * 100_001}, "has 100,001 characters; up to 100,000 can be"),
        ("x", "names and values"),
    ],
)
def test_what_cant_be_is_refused_and_nothing_changes(values: object, says: str) -> None:
    before = ChatSettings(temperature="1")
    with pytest.raises(SettingsError) as caught:
        before.change(values)
    assert says in str(caught.value)
    assert before.temperature == "1"
