"""What people are told of their data."""

from __future__ import annotations

from curc_llm.session.notice import DEFAULT, MAX_CHARACTERS, read_data_notice


def test_the_centre_s_own_words_come_first() -> None:
    assert read_data_notice({"CURC_LLM_DATA_NOTICE": "Only\npublic  data."}) == "Only public data."


def test_without_them_it_says_what_is_always_true() -> None:
    assert read_data_notice({"CURC_LLM_DATA_NOTICE": " \n"}) == DEFAULT
    assert "HIPAA" in DEFAULT


def test_it_stays_short() -> None:
    assert len(read_data_notice({"CURC_LLM_DATA_NOTICE": "x" * 5000})) == MAX_CHARACTERS
