"""What in the settings can't be, told at the field as soon as a person leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curc_llm.chat.acts import render_acts
from curc_llm.chat.choice import OF_OTHER
from curc_llm.chat.controls import FIELDS, parse_controls, parse_system
from curc_llm.errors import CurcLlmError

# The fields that people write into. Those of the second column are checked as those that they stand for.
CHECKED = ("temperature", "top_p", "max_tokens", "seed", "stop", "json_schema", "system_prompt")
CHECKED_OTHER = {"other_temperature": "temperature", "other_system": "system_prompt"}


def find_mistakes(values: Mapping[str, Any]) -> dict[str, str]:
    """One sentence for each field that holds what can't be: the value, and what is allowed.

    Args:
        values: texts by the fields' names.

    Example:
        >>> find_mistakes({"temperature": "9", "seed": "7"})
        {'temperature': "Temperature can't be '9': it is a number from 0 to 2."}
    """
    named = ((name, CHECKED_OTHER.get(name, name), value) for name, value in values.items())
    found = {name: _find_mistake(kind, str(value or "")) for name, kind, value in named}
    return {name: f"{_name_column(name)}{sentence}" for name, sentence in found.items() if sentence}


def render_mistakes(values: Mapping[str, Any]) -> str:
    """The same for page.js, which marks the fields and writes the sentences under them."""
    return render_acts({"act": "mistakes", "fields": find_mistakes(values)})


def _name_column(name: str) -> str:
    return OF_OTHER if name in CHECKED_OTHER else ""


def _find_mistake(kind: str, text: str) -> str:
    try:
        if kind in FIELDS:
            parse_controls({kind: text})
        else:
            parse_system(text)
    except CurcLlmError as error:
        return error.message
    return ""
