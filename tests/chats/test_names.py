from __future__ import annotations

import os
from pathlib import Path

import pytest

from curc_llm.chats.errors import ChatFileError, ChatNotFoundError
from curc_llm.chats.names import check_chat_id, list_files, make_chat_id, scan, split_name


@pytest.mark.parametrize(
    "hostile", ["", "..", "../x", "a/b", ".hidden", "a~b", "a\nb", "-x", "a" * 101, "a\0", "ä"]
)
def test_no_id_leads_out_of_the_folder(hostile: str) -> None:
    with pytest.raises(ChatNotFoundError, match="There is no saved chat"):
        check_chat_id(hostile)


def test_new_ids_are_ids_and_differ() -> None:
    assert len({check_chat_id(make_chat_id(0)) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "name", ["a.part", "a~.jsonl", "a~b c.jsonl", "a.json", "jsonl", ".jsonl", "~b.part", "a~b~c.part"]
)
def test_names_that_are_no_chats(name: str) -> None:
    assert split_name(name) is None


def test_a_folder_is_sorted_into_chats_and_strangers(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a~h1.jsonl", "a~0f.part", "b.jsonl", "notes.txt", ".index.json", "we ird.jsonl"):
        (tmp_path / name).write_text("")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "a.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    found = scan(tmp_path)
    assert {chat_id: len(files) for chat_id, files in found.chats.items()} == {"a": 3, "b": 1}
    assert sorted(found.strange) == ["folder.jsonl", "link.jsonl", "notes.txt", "pipe.jsonl", "we ird.jsonl"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_others_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    os.chown(tmp_path / "a.jsonl", 12345, -1)
    assert scan(tmp_path).strange == ["a.jsonl"]


def test_no_folder_is_no_chats(tmp_path: Path) -> None:
    assert scan(tmp_path / "none").chats == {}


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ChatFileError, match="can't be read: Not a directory"):
        scan(tmp_path / "file")


def test_a_chat_of_any_name_has_its_own_files_alone(tmp_path: Path) -> None:
    for name in ("my talk.jsonl", "my talk~h1.jsonl", "my talk~0f.part", "my talk2.jsonl", "my talk~h1.txt"):
        (tmp_path / name).write_text("")
    names = [path.name for path in list_files(tmp_path / "my talk.jsonl")]
    assert names == ["my talk.jsonl", "my talk~0f.part", "my talk~h1.jsonl"]
