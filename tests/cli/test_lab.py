"""`demo --lab`: a real JupyterLab beside a session whose engine only looks like vLLM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from curc_llm.cli.lab import check_lab, run_lab
from curc_llm.cli.launching import Beside
from curc_llm.cli.output import Output
from curc_llm.errors import EngineError, LaunchError
from curc_llm.launch import stop_session
from curc_llm.session.store import discover_sessions
from tests.cli.conftest import REPOSITORY, Run
from tests.fakes.terminal import CTRL_C, Terminal

MAIN = ("-m", "curc_llm.cli.main")


@pytest.fixture
def engine(state_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The fake engine, a hub that isn't there, and no session left behind."""
    monkeypatch.setenv("CURC_LLM_ENGINE_PYTHON", str(REPOSITORY / "tests/fakes/fake_engine_python.py"))
    monkeypatch.setenv("CURC_LLM_DEVICE", "cpu")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
    yield
    for found in discover_sessions(state_dir):
        stop_session(found)


def call(link: str, path: str, body: bytes | None = None, *, token: bool = True) -> Any:
    """What the server answers."""
    root, _, key = link.partition("/lab/tree/")
    headers = {"Authorization": f"token {key.partition('token=')[2]}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(root + path, body, headers)) as answer:
        return json.loads(answer.read())


def servers(folder: Path) -> list[psutil.Process]:
    """JupyterLab servers that show a folder, and their kernels."""
    shown = f"--ServerApp.root_dir={folder}"
    found = [p for p in psutil.process_iter(["cmdline"]) if shown in (p.info["cmdline"] or [])]
    return [*found, *(child for p in found if p.is_running() for child in p.children(recursive=True))]


def read_command(process: psutil.Process) -> str:
    """A process's arguments; nothing once it has ended, as the kernel's own helpers soon do."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def wait_until_gone(processes: list[psutil.Process], timeout_s: float = 20) -> None:
    _, alive = psutil.wait_procs(processes, timeout_s)
    assert alive == []


@pytest.mark.slow
def test_the_lab_shows_the_notebooks_knows_the_session_and_ends_with_the_demo(
    engine: None, state_dir: Path, tmp_path: Path
) -> None:
    with Terminal(*MAIN, "demo", "--lab") as terminal:
        terminal.wait_for("JupyterLab  ", 90)
        shown = terminal.wait_for("Stop")
        link = next(word for word in shown.split() if "/lab/tree/" in word)
        (found,) = discover_sessions(state_dir)
        assert [e.served_model_name for e in found.record.engines] == ["curc-guide", "demo-embed"]
        names = {entry["name"] for entry in call(link, "/api/contents")["content"]}
        assert {"01-connect-and-chat.ipynb", "07-environment-check.ipynb"} <= names
        news = call(link, "/lab/api/settings/@jupyterlab/apputils-extension:notification")
        assert news["settings"] == {"fetchNews": "false", "checkForUpdates": False}  # nobody is asked
        with pytest.raises(urllib.error.HTTPError, match="403"):
            call(link, "/api/contents", token=False)
        call(link, "/api/kernels", b"{}")
        processes = servers(state_dir / "notebooks")
        assert len(processes) >= 3  # guard, server, kernel
        environ = processes[-1].environ()
        assert (environ["CURC_LLM_SESSION"], environ["CURC_LLM_STATE_DIR"]) == (
            found.session_id,
            str(state_dir),
        )
        secret = link.partition("token=")[2]
        assert not any(secret in read_command(process) for process in processes)
        terminal.type(CTRL_C)
        terminal.wait_for("Nothing of it is left running.")
        assert terminal.wait_for_end() == 0
    wait_until_gone(processes, 5)
    assert list((tmp_path / "t").glob("curc-llm-lab-*")) == []
    assert discover_sessions(state_dir) == []


@pytest.mark.slow
def test_the_lab_outlives_the_session_and_ends_even_when_the_command_is_killed(
    engine: None, state_dir: Path
) -> None:
    command = [sys.executable, *MAIN, "demo", "--lab", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        card = json.loads(process.stdout.readline())
        assert card["notebooks"] == str(state_dir / "notebooks")
        processes = servers(state_dir / "notebooks")
        assert processes
        for found in discover_sessions(state_dir):
            stop_session(found)  # as a notebook's session.stop() does
        said = iter(process.stderr)
        assert any("The session has ended: The session was stopped by its owner." in line for line in said)
        assert any("JupyterLab goes on" in line for line in said)
        assert call(card["lab_url"], "/api/kernels") == []
        os.kill(process.pid, signal.SIGKILL)
    wait_until_gone(processes)


def test_ctrl_c_ends_a_lab_whose_session_is_over(capfd: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def fail() -> None:
        raise EngineError("The engine died.", "Look at its log.")

    Beside({}, SimpleNamespace(wait=interrupt)).stay(fail, Output(as_json=False))  # type: ignore[arg-type]
    said = capfd.readouterr().err
    for words in ("The engine died.", "Ctrl-C here ends it.", "JupyterLab has ended."):
        assert words in said
    with pytest.raises(KeyboardInterrupt):  # while the session runs, Ctrl-C ends that too
        Beside({}, SimpleNamespace()).stay(interrupt, Output(as_json=False))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_lab_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    began_s = time.monotonic()
    trouble = pytest.raises(LaunchError, match="did not start")
    with trouble, run_lab(tmp_path / "nothing", "local-1", tmp_path):
        raise AssertionError("it started")
    assert time.monotonic() - began_s < 30
    assert list(tmp_path.glob("curc-llm-lab-*")) == []


def test_lab_and_detach_do_not_go_together(run: Run) -> None:
    result = run("demo", "--lab", "--detach")
    assert result.exit_code == 2
    assert "--detach" in result.stderr


def test_a_python_without_jupyterlab_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LaunchError, match=r"curc-llm\[jupyter\]"):
        check_lab()
