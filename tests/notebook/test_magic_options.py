from __future__ import annotations

import pytest

from curc_llm.errors import MagicError
from curc_llm.notebook.magic_options import parse_options


def test_options_come_first_and_the_rest_is_text() -> None:
    options = parse_options("-m curc-guide --temperature=0.5 --max-tokens 20 What's an SU?")
    assert (options.model, options.text) == ("curc-guide", "What's an SU?")
    assert options.params == {"temperature": 0.5, "max_tokens": 20}


def test_values_may_be_quoted() -> None:
    options = parse_options("""--system "Say \\"yes\\"." --json-schema '{"type": "object"}' --name out""")
    assert (options.system, options.json_schema, options.name) == ('Say "yes".', '{"type": "object"}', "out")


def test_a_line_without_options_is_all_text_even_with_dashes_in_it() -> None:
    assert parse_options("5 - 3 --why?").text == "5 - 3 --why?"
    assert parse_options("-- --temperature is what?").text == "--temperature is what?"
    assert parse_options("").text == ""


def test_whatever_the_session_takes_can_be_an_option() -> None:
    options = parse_options("--min-p 0.1 --stop END --chat-template-kwargs '{\"think\": false}' Why?")
    assert options.params == {"min_p": 0.1, "stop": "END", "chat_template_kwargs": {"think": False}}
    assert options.text == "Why?"


def test_raw_takes_no_value() -> None:
    options = parse_options("--raw {x}")
    assert (options.raw, options.text) == (True, "{x}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--temprature 1", "Did you mean --temperature?"),
        ("--repetition-penalt 1", "Did you mean --repetition-penalty?"),
        ("--zzz 1", "There are --model"),
        ("--temperature hot", "a number from 0 to 2"),
        ("--temperature 3", "a number from 0 to 2"),
        ("--temperature nan", "a number from 0 to 2"),
        ("--max-tokens 0", "a whole number of 1 or more"),
        ("--max-tokens 1.5", "a whole number"),
        ("--model", "--model VALUE"),
        ('--system "never closed', "Close the quotation mark"),
        ("--name 2x", "--name summary"),
        ("--name class", "--name summary"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_right(line: str, told: str) -> None:
    with pytest.raises(MagicError) as trouble:
        parse_options(line)
    assert told in str(trouble.value)
