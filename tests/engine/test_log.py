from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from curc_llm.engine.log import EngineLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EngineLog]:
    log = EngineLog(tmp_path / "engine.log")
    yield log
    log.close()


def write(log: EngineLog, text: str) -> None:
    os.write(log.fileno(), text.encode())


def test_the_log_is_its_owners_alone(log: EngineLog) -> None:
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_a_log_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "old.log"
    path.write_text("before\n")
    path.chmod(0o644)
    EngineLog(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_what_is_new_is_read(log: EngineLog) -> None:
    write(log, "one\n")
    assert log.read_new() == "one\n"
    write(log, "two\n")
    assert log.read_new() == "two\n"
    assert log.read_new() == ""


def test_a_second_start_begins_where_the_first_ended(tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_text("CUDA out of memory\n")
    log = EngineLog(tmp_path / "engine.log")
    write(log, "fresh\n")
    assert log.read_new() == "fresh\n"
    assert log.read_tail() == "fresh\n"
    log.mark_start()
    assert log.read_tail() == ""
    log.close()


def test_the_tail_is_the_end(log: EngineLog) -> None:
    write(log, "a" * 100 + "end")
    assert log.read_tail(5) == "aaend"


def test_broken_characters_do_no_harm(log: EngineLog) -> None:
    os.write(log.fileno(), b"\xff\xfe ok")
    assert log.read_new().endswith(" ok")


def test_a_log_that_grew_too_large_is_kept_once_and_begins_anew(log: EngineLog) -> None:
    write(log, "x" * 200)
    assert log.rotate(max_bytes=100)
    assert log.path.with_name("engine.log.1").read_text() == "x" * 200
    assert stat.S_IMODE(log.path.with_name("engine.log.1").stat().st_mode) == 0o600
    write(log, "after\n")
    assert log.path.read_text() == "after\n"
    assert log.read_new() == "after\n"
    assert log.read_tail() == "after\n"


def test_a_small_log_is_left_alone(log: EngineLog) -> None:
    write(log, "small")
    assert not log.rotate()
    assert log.path.read_text() == "small"


def test_a_log_that_cannot_be_kept_is_cut_all_the_same(log: EngineLog) -> None:
    log.path.with_name("engine.log.1").mkdir()
    log.path.with_name("engine.log.1").rmdir()
    write(log, "x" * 200)
    log.path.rename(log.path.with_name("moved"))
    assert log.rotate(max_bytes=100)
    assert log.path.with_name("moved").read_text() == ""


def test_a_log_that_someone_else_cut_is_read_from_its_beginning(log: EngineLog) -> None:
    write(log, "long before\n")
    log.read_new()
    os.truncate(log.path, 0)
    write(log, "new\n")
    assert log.read_new() == "new\n"


def test_closing_twice_does_no_harm(log: EngineLog) -> None:
    log.close()
    log.close()


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        EngineLog(tmp_path / "missing" / "engine.log")
