from __future__ import annotations

from curc_llm.engine.cause import cause

FULL = cause("full", r"disk (?P<name>\S+) is full(?P<more>, really)?", "{name} is full.", "Empty {name}.")


def test_of_several_matches_the_last_counts() -> None:
    trouble = FULL.match("disk /a is full\ndisk /b is full\n")
    assert trouble is not None
    assert (trouble.code, trouble.message, trouble.remedy) == ("full", "/b is full.", "Empty /b.")


def test_without_its_words_it_is_not_the_cause() -> None:
    assert FULL.match("disk /a is fine") is None


def test_a_value_that_holds_a_secret_is_scrubbed() -> None:
    trouble = FULL.match("disk https://me:pass1234@host/x is full")
    assert trouble is not None
    assert "pass1234" not in trouble.message


def test_a_long_value_is_cut() -> None:
    trouble = FULL.match(f"disk /{'x' * 5000} is full")
    assert trouble is not None
    assert len(trouble.message) < 300
