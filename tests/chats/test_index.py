from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from curc_llm.chats import ChatStore
from curc_llm.chats.index import MOST_STALE, NAME, read_index
from tests.chats.test_store import ids, put


@pytest.fixture
def many(store: ChatStore) -> ChatStore:
    for number in range(MOST_STALE + 5):
        put(store, f"c{number:03}", float(number + 1), f"Chat {number}")
    return store


def test_many_chats_get_an_index_that_only_the_owner_reads(many: ChatStore) -> None:
    listed = many.list()
    assert stat.S_IMODE((many.folder / NAME).stat().st_mode) == 0o600
    assert ChatStore(many.folder).list() == listed


def test_with_an_index_no_chat_is_read(many: ChatStore, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = many.list()
    monkeypatch.setattr("curc_llm.chats.store.read_file", lambda _: pytest.fail("a chat was read"))
    assert ChatStore(many.folder).list() == listed


def test_what_changed_since_is_read_anew(many: ChatStore) -> None:
    many.list()
    index = (many.folder / NAME).read_bytes()
    many.rename("c003", "Another")
    many.find_file("c004").unlink()
    put(many, "new", 99.0, "New")
    fresh = ChatStore(many.folder)
    titles = {one.chat_id: one.title for one in fresh.list()}
    assert (titles["c003"], titles["new"]) == ("Another", "New")
    assert "c004" not in titles
    assert (many.folder / NAME).read_bytes() == index  # too few changes to write it anew


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 99, "chats": {}}',
        b'{"version": 2, "chats": {"c001": 7}}',
        b"\xff" * 100,
    ],
)
def test_a_damaged_index_is_made_anew(many: ChatStore, damage: bytes) -> None:
    listed = many.list()
    (many.folder / NAME).write_bytes(damage)
    assert ChatStore(many.folder).list() == listed
    assert len(read_index(many.folder)) == len(listed)


def test_an_index_with_values_of_the_wrong_kind_is_not_believed(many: ChatStore) -> None:
    listed = many.list()
    value = json.loads((many.folder / NAME).read_text())
    value["chats"]["c001"][1][1] = ["no", "title"]
    (many.folder / NAME).write_text(json.dumps(value))
    assert ChatStore(many.folder).list() == listed


def test_an_index_of_another_version_is_not_believed(many: ChatStore) -> None:
    listed = many.list()
    value = json.loads((many.folder / NAME).read_text())
    value["version"] += 1
    value["chats"]["c001"][1][1] = "A title with another meaning"
    (many.folder / NAME).write_text(json.dumps(value))
    assert ChatStore(many.folder).list() == listed


def test_an_index_that_is_a_link_is_not_followed(many: ChatStore, tmp_path: Path) -> None:
    (tmp_path / "forged").write_text('{"version": 2, "chats": {}}')
    (many.folder / NAME).symlink_to(tmp_path / "forged")
    assert len(many.list()) == MOST_STALE + 5
    assert (tmp_path / "forged").read_text() == '{"version": 2, "chats": {}}'


def test_without_room_for_an_index_the_list_is_there(
    many: ChatStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert len(ids(many)) == MOST_STALE + 5
    assert sorted(path.name for path in many.folder.glob(".*")) == []
