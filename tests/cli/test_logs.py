from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curc_llm.cli.logs import BLOCK_BYTES, read_new, read_tail
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession


def test_the_engines_log_is_shown_by_default_and_only_its_end(run: Run, fake: FakeSession) -> None:
    lines = [f"line {number}" for number in range(100)]
    fake.paths.log("engine-curc-guide").write_text("\n".join(lines) + "\n")
    assert run("logs").stdout.splitlines() == lines[-50:]
    assert run("logs", "-n", "2").stdout.splitlines() == lines[-2:]
    assert run("logs", "-n", "0").stdout == ""


@pytest.mark.parametrize("part", ["job", "gateway", "chat"])
def test_each_part_has_its_log(run: Run, fake: FakeSession, part: str) -> None:
    fake.paths.log(part).write_text(f"from {part}\n")
    assert run("logs", "--part", part).stdout == f"from {part}\n"


@pytest.mark.parametrize("part", ["access", "error", "audit"])
def test_logs_of_objects_are_objects_in_json(run: Run, fake: FakeSession, part: str) -> None:
    (fake.paths.logs / f"{part}.jsonl").write_text('{"a": 1}\nnot json\n')
    assert json.loads(run("logs", "--part", part, "--json").stdout)["lines"] == [{"a": 1}, "not json"]


def test_a_log_that_is_not_there_yet_is_told(run: Run, fake: FakeSession) -> None:
    result = run("logs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "isn't there (yet)" in result.stderr


def test_an_engine_can_be_named_but_no_path(run: Run, state_dir: Path) -> None:
    with FakeSession(state_dir, models=("one", "org/two")) as fake:
        fake.paths.log("engine-org/two").write_text("second\n")
        assert run("logs", "-m", "org/two").stdout == "second\n"
        result = run("logs", "-m", "../../secret")
    assert result.exit_code == 1
    assert "one, org/two" in result.stderr


def test_control_characters_of_a_log_move_no_cursor(run: Run, fake: FakeSession) -> None:
    fake.paths.log("job").write_bytes(b"a\x1b[2Jb\xff\rc\n")
    assert "\x1b" not in run("logs", "--part", "job").stdout


@pytest.mark.slow
def test_following_shows_new_lines_and_ends_with_the_session(fake: FakeSession, state_dir: Path) -> None:
    log = fake.paths.log("job")
    log.write_text("first\nhalf")
    command = [sys.executable, "-m", "curc_llm.cli.main", "logs", "-f", "--part", "job"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        with log.open("a") as file:
            file.write(" done\nlast\n")
        assert process.stdout.readline() == "half done\n"
        assert process.stdout.readline() == "last\n"
        fake.end()
        assert process.stdout.read() == ""
        assert process.wait(20) == 0


def test_following_in_json_gives_an_object_per_line(run: Run, fake: FakeSession) -> None:
    fake.paths.access_log.write_text('{"status": 200}\n')
    fake.end()
    assert run("logs", "local-fake01", "-f", "--part", "access", "--json").stdout == '{"status": 200}\n'


def test_the_tail_of_a_long_file_is_read_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"{number:07}\n" for number in range(BLOCK_BYTES // 4)))
    lines, position = read_tail(path, 3)
    assert lines == [f"{number:07}" for number in range(BLOCK_BYTES // 4 - 3, BLOCK_BYTES // 4)]
    assert position == path.stat().st_size
    many, _ = read_tail(path, BLOCK_BYTES)
    assert len(many) == BLOCK_BYTES // 4


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("new\n")
    assert read_new(path, 100) == (["new"], 4)
    assert read_new(path, 4) == ([], 4)
    assert read_new(tmp_path / "none", 7) == ([], 7)
