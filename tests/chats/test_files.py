from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from curc_llm.chats import files
from curc_llm.chats.errors import ChatFileError, ChatNotFoundError
from curc_llm.chats.files import add_to_file, read_file


def test_only_the_owner_can_read_what_is_made(tmp_path: Path) -> None:
    path = tmp_path / "chats" / "a.jsonl"
    add_to_file(path, b"x\n", is_new=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_file(path) == b"x\n"


def test_lines_go_below_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"torn")
    add_to_file(path, b"x\n")
    assert path.read_bytes() == b"torn\nx\n"


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine\n")
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(ChatFileError, match="can't be read"):
        read_file(tmp_path / "a.jsonl")
    with pytest.raises(ChatFileError, match="can't be kept"):
        add_to_file(tmp_path / "a.jsonl", b"x\n")
    assert (tmp_path / "target").read_text() == "mine\n"


def test_pipes_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ChatFileError, match="is no file"):
            read_file(tmp_path / name)


def test_what_is_too_long_is_told_with_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 2**20)
    (tmp_path / "a.jsonl").write_bytes(b"x" * (3 * 2**20))
    with pytest.raises(ChatFileError, match="has 3 MiB; at most 1 MiB"):
        read_file(tmp_path / "a.jsonl")


def test_a_full_disk_is_one_sentence_with_a_remedy() -> None:
    with pytest.raises(ChatFileError) as caught:
        add_to_file(Path("/dev/full"), b"x\n")
    assert caught.value.message == "The chat can't be kept in /dev/full: No space left on device."
    assert "curc-llm chats purge" in caught.value.remedy


def test_a_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(ChatNotFoundError, match="was removed"):
        add_to_file(tmp_path / "a.jsonl", b"x\n")
    assert not (tmp_path / "a.jsonl").exists()


def test_what_grows_while_it_is_read_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"0123456789")
    real = os.fstat
    monkeypatch.setattr(
        os, "fstat", lambda fd: os.stat_result((*real(fd)[:6], 4, *real(fd)[7:]))
    )  # as if it had 4 bytes a moment ago
    assert read_file(tmp_path / "a.jsonl") == b"0123456789"
