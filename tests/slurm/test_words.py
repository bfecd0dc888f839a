"""What people write never becomes an option, a second line or another command of Slurm's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.errors import SpecError
from curc_llm.slurm.words import check_number, check_path, check_word

HOSTILE = [
    "$(reboot)", "`id`", "a b", "a;b", "--wrap=id", "-p", "a\nb", "a\n#SBATCH --uid=0", "a,b", "../x", "a'b",
    'a"b', "<b>x</b>", "ä", "a\0b", "x" * 200, "a=b", "%j", "a\u2028b", " a", "a ", "{x}", "a/b",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["account", "partition", "qos", "reservation", "gres_type"])
def test_a_hostile_word_is_refused_by_name_and_value(name: str, value: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_word(name, value)
    assert f"The {name} " in caught.value.message
    assert repr(value[:60])[:-1] in caught.value.message
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "value", ["ucb-general", "ucb123_asc1", "a100_3g.20gb", "rtx_pro_6000", "p_number_crunch"]
)
def test_slurms_own_words_are_accepted(value: str) -> None:
    check_word("account", value)


@given(st.text())
def test_what_is_accepted_needs_no_quoting(value: str) -> None:
    try:
        check_word("account", value)
    except SpecError:
        return
    assert value == "" or (
        value.isascii() and value[0].isalnum() and not set(value) & set(" \t\n'\"\\$`;&|<>()=,/%#")
    )


def test_what_is_needed_must_be_there() -> None:
    with pytest.raises(SpecError, match="needs a partition"):
        check_word("partition", "", needed=True)
    check_word("qos", "")


def test_a_number_that_is_too_small_is_refused_with_the_least() -> None:
    with pytest.raises(SpecError, match="num_nodes is 0, but at least 1"):
        check_number("num_nodes", 0, 1)


@pytest.mark.parametrize("path", ["log", "./log", "/a\n#SBATCH --uid=0"])
def test_an_output_that_slurm_would_misread_is_refused(path: str) -> None:
    with pytest.raises(SpecError, match="full path without line breaks"):
        check_path(Path(path))
