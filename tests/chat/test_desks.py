from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.chat import desks as module
from curc_llm.chat.desks import Desks


def test_a_page_keeps_its_desk_and_no_other_gets_it(tmp_path: Path) -> None:
    desks = Desks(tmp_path)
    first = desks.find_by("owner", "1")
    assert desks.find_by("owner", "1") is first
    assert desks.find_by("owner", "2") is not first
    assert desks.find_by("guest", "1") is not first


def test_people_have_chats_of_their_own(tmp_path: Path) -> None:
    desks = Desks(tmp_path)
    mine, theirs = desks.find_by("owner", "1"), desks.find_by("lab-mate", "2")
    mine.keep(mine.draft("Secret"), {})
    assert [one.title for one in desks.find_by("owner", "3").store.list()] == ["Secret"]
    assert theirs.store.list() == []
    assert theirs.store.folder != mine.store.folder


def test_the_desks_of_long_gone_pages_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_DESKS", 2)
    desks = Desks(tmp_path)
    first = desks.find_by("owner", "1")
    second = desks.find_by("owner", "2")
    assert desks.find_by("owner", "1") is first  # used again
    desks.find_by("owner", "3")
    assert desks.find_by("owner", "1") is first
    assert desks.find_by("owner", "2") is not second


def test_pages_that_were_heard_of_lately_count_as_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    desks = Desks(tmp_path)
    desks.find_by("owner", "1")
    now += module.OPEN_S / 2
    desks.find_by("owner", "2")
    desks.find_by("guest", "2")
    assert desks.count_open() == 3
    now += module.OPEN_S / 2 + 1
    assert desks.count_open() == 2
    desks.find_by("owner", "1")
    assert desks.count_open() == 3
