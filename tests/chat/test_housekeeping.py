from __future__ import annotations

from collections.abc import Iterator

import pytest

from curc_llm.chat.housekeeping import explain_limits


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    explain_limits.cache_clear()
    yield
    explain_limits.cache_clear()


def test_the_owners_limits_are_those_of_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_CHATS_KEEP_DAYS", "90")
    monkeypatch.setenv("CURC_LLM_CHATS_MAX_GIB", "0.5")
    told = explain_limits(is_owner=True)
    assert told.startswith("Chats are kept for 90 days, up to 0.5 GiB in all; deleted ones for 30 days.")
    assert "Uploaded files are gone" in told


def test_a_guests_limits_are_no_matter_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_CHATS_KEEP_DAYS", "90")
    told = explain_limits(is_owner=False)
    assert told.startswith("Chats are kept for 30 days, up to 0.25 GiB in all; deleted ones for 7 days.")


def test_settings_that_cant_be_read_leave_the_sentence_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_CHATS_KEEP_DAYS", "long")
    assert explain_limits(is_owner=True) == ""
