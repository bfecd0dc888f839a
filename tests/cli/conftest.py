from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curc_llm.cli.main import cli
from tests.fakes.fake_session import FakeSession

Run = Callable[..., Result]
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, a home without settings, and none of our variables."""
    for name in [n for n in os.environ if n.startswith(("CURC_LLM_", "XDG_", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CURC_LLM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)]))
    return tmp_path / "state"


@pytest.fixture
def fake(state_dir: Path) -> Iterator[FakeSession]:
    with FakeSession(state_dir) as session:
        yield session


@pytest.fixture
def run(state_dir: Path) -> Run:
    """Runs the command line in this process."""

    def invoke(*args: str, typed: str | bytes | None = None) -> Result:
        # click before 8.2 mixes both streams unless told not to.
        split = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
        return CliRunner(**split).invoke(cli, list(args), input=typed, prog_name="curc-llm")

    return invoke


@pytest.fixture
def spawn(state_dir: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own."""

    def call(*args: str, **more: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "curc_llm.cli.main", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)  # type: ignore[call-overload,no-any-return]

    return call


@pytest.fixture
def session_process(state_dir: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts sessions that are processes of their own, so that they can be stopped."""
    started: list[subprocess.Popen[str]] = []

    def start(session_id: str) -> subprocess.Popen[str]:
        program = str(REPOSITORY / "tests/fakes/fake_session.py")
        command = [sys.executable, program, str(state_dir), session_id]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
