"""Ctrl-C at any moment of `curc-llm batch`: status 130, and one sentence about what is kept."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
from click.testing import CliRunner

from curc_llm.batch.run import Run
from curc_llm.cli.main import cli
from tests.batch.killing import Batch, write_rows
from tests.fakes.fake_session import FakeSession

NOT_BEGUN = "The batch was stopped before it asked a row. Run the same again to begin.\n"


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [n for n in os.environ if n.startswith(("CURC_LLM_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CURC_LLM_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def fake(state_dir: Path) -> Iterator[FakeSession]:
    with FakeSession(state_dir) as session:
        yield session


def interrupt(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


def run_batch(folder: Path) -> tuple[int, str]:
    """Three rows; the exit status and all that was said."""
    write_rows(folder / "in.jsonl", ["one", "two", "three"])
    result = CliRunner().invoke(cli, ["batch", str(folder / "in.jsonl"), str(folder / "out.jsonl")])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "step",
    [
        "curc_llm.cli.batch.load",
        "curc_llm.client.connect",
        "curc_llm.batch.files.make_survey",
        "curc_llm.batch.run.open_journal",
    ],
)
def test_before_a_row_is_asked_it_says_so(
    fake: FakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(step, interrupt)
    assert run_batch(tmp_path) == (130, NOT_BEGUN)
    assert fake.requests == []


def test_at_the_very_start_it_says_what_is_kept(
    fake: FakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = threading.Thread.start

    def begin_and_be_interrupted(thread: threading.Thread) -> None:
        begin(thread)
        if thread.name == "curc-llm-batch":
            monkeypatch.setattr(threading.Thread, "start", begin)
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", begin_and_be_interrupted)
    status, said = run_batch(tmp_path)
    assert status == 130
    assert " of 3 rows are done and kept in " in said
    assert said.endswith("Run the same again to go on where it stopped.\n")


@pytest.mark.parametrize(("method", "rows"), [("wait", 0), ("result", 3)])
def test_an_impatient_second_ctrl_c_and_one_at_the_end_say_what_is_kept(
    fake: FakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, rows: int
) -> None:
    monkeypatch.setattr(Run, method, interrupt)
    status, said = run_batch(tmp_path)
    assert status == 130
    assert f"{rows} of 3 rows are done and kept in {tmp_path}/out.jsonl. Run the same again" in said


@pytest.mark.slow
def test_while_python_still_imports_a_real_ctrl_c_leaves_no_traceback(tmp_path: Path) -> None:
    package = tmp_path / "click"  # stands before the real one, and takes long
    package.mkdir()
    (package / "__init__.py").write_text("print('importing', flush=True)\nimport time\ntime.sleep(60)\n")
    command = Path(sys.executable).with_name("curc-llm")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with Popen([command, "batch", "a", "b"], env=environment, text=True, stdout=PIPE, stderr=PIPE) as batch:
        assert batch.stdout is not None
        assert batch.stdout.readline() == "importing\n"
        batch.send_signal(signal.SIGINT)
        said, talk = batch.communicate(timeout=20)
    assert (batch.returncode, said, talk) == (130, "", "")


@pytest.mark.slow
def test_while_rows_are_read_a_real_ctrl_c_leaves_no_traceback(fake: FakeSession, tmp_path: Path) -> None:
    source, target = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    os.mkfifo(source)
    batch = Batch(source, target, os.environ)
    with source.open("w"):  # returns when the batch reads
        batch.send_signal(signal.SIGINT)
        said, talk = batch.communicate(timeout=20)
    assert (batch.returncode, said, talk) == (130, "", NOT_BEGUN)
    assert not target.exists()


def test_a_beginning_that_was_interrupted_is_made_once_and_only_once(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(["one"])
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run.start()
    assert run.wait(10)
    assert run.progress.done == 1
