"""A session's files are its owner's alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curc_llm.errors import LaunchError
from curc_llm.session.files import append_jsonl, write_json, write_private
from curc_llm.session.paths import MAX_SOCKET_PATH_BYTES, SessionPaths, make_runtime_dir


def test_the_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths = SessionPaths(tmp_path / "sessions" / "s")
        paths.make()
    finally:
        os.umask(before)
    assert [p.stat().st_mode & 0o777 for p in (paths.root, paths.logs)] == [0o700, 0o700]


def test_a_folder_that_cant_be_made_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LaunchError, match="CURC_LLM_STATE_DIR"):
        SessionPaths(tmp_path / "file" / "s").make()


def test_a_models_name_with_a_slash_is_one_log_file(tmp_path: Path) -> None:
    assert SessionPaths(tmp_path).log("engine-Qwen/Qwen3").name == "engine-Qwen_Qwen3.log"


def test_the_runtime_folder_is_private_and_short_enough_for_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/tmp/" + "x" * 200)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    folder = make_runtime_dir()
    try:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(str(folder / "engine-10.sock")) < MAX_SOCKET_PATH_BYTES
    finally:
        folder.rmdir()


def test_a_private_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_private(path, "old")
    with path.open() as still_open:
        write_json(path, {"a": "ü"})
        assert still_open.read() == "old"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == '{\n "a": "ü"\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "target.json"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(folder, "x")
    assert [p.name for p in tmp_path.iterdir()] == ["target.json"]


def test_lines_are_appended_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_jsonl(path, {"a": 1})
    append_jsonl(path, {"b": "é"})
    assert path.read_text() == '{"a":1}\n{"b":"é"}\n'
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_runtime_folder_of_a_dead_job_is_removed_and_of_a_living_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")
    parent = Path(make_runtime_dir()).parent
    dead, living = parent / f"curc-llm-{2**22 + 5}-abc", parent / f"curc-llm-{os.getpid()}-abc"
    for folder in (dead, living):
        folder.mkdir()
    made = make_runtime_dir()
    assert not dead.exists()
    assert living.exists()
    for folder in parent.glob(f"curc-llm-{os.getpid()}-*"):
        folder.rmdir()
    assert not made.exists()
