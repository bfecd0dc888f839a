"""`demo` and `serve` with the real job and gateway, and an engine that only looks like vLLM."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from curc_llm.cli.demo import REAL_MODEL, tell_of_lab
from curc_llm.client import connect
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord, SessionStatus
from curc_llm.session.store import discover_sessions, find_session, process_started
from tests.cli.conftest import REPOSITORY, Run
from tests.fakes.terminal import CTRL_C, ENTER, Terminal

pytestmark = pytest.mark.slow

MAIN = ("-m", "curc_llm.cli.main")
CARD = {"session_id", "chat_url", "login_url", "base_url", "model", "key_file", "record_file", "pid"}
OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."


@pytest.fixture(autouse=True)
def _settings(state_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The fake engine, a hub that isn't there, and no session left behind."""
    monkeypatch.setenv("CURC_LLM_ENGINE_PYTHON", str(REPOSITORY / "tests/fakes/fake_engine_python.py"))
    monkeypatch.setenv("CURC_LLM_DEVICE", "cpu")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
    yield
    left = discover_sessions(state_dir)
    for found in left:
        os.kill(found.record.pid, signal.SIGKILL)
    assert left == []


@dataclass
class _Result:
    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def run(spawn: Callable[..., subprocess.CompletedProcess[str]]) -> Run:
    """Runs the command line in a process of its own, as the parent of a job must be one that ends."""

    def call(*args: str) -> _Result:
        done = spawn(*args)
        return _Result(done.returncode, done.stdout, done.stderr)

    return call  # type: ignore[return-value]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model."""
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    header = b"{}"
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    return folder


def _wait_for_record(state_dir: Path) -> SessionRecord:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for found in discover_sessions(state_dir):
            return found.record
        time.sleep(0.02)
    raise AssertionError("no session appeared")


def test_a_detached_demo_is_one_json_object_and_stop_leaves_no_process(run: Run, state_dir: Path) -> None:
    result = run("demo", "--detach", "--json", "--time-h", "1", "--idle-stop-min", "7")
    assert result.exit_code == 0, result.stderr
    card = json.loads(result.stdout)
    assert set(card) == CARD
    assert "curc-guide: " in result.stderr
    found = find_session(state_dir, card["session_id"])
    assert (found.record.pid, found.status) == (card["pid"], SessionStatus.READY)
    spec = json.loads(found.paths.spec.read_text())
    assert (spec["wall_time_s"], spec["idle_stop_min"]) == (3600, 7)
    key = Path(card["key_file"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with connect(card["session_id"]) as session:
        assert session.chat("Hi", max_tokens=3) == "word0 word1 word2"
        assert session.models() == ["curc-guide"]
        assert session.health()
    assert run("ask", "Hi", "--max-tokens", "2").stdout == "word0 word1\n"
    assert "curc-guide: ready" in run("status").stdout
    with urllib.request.urlopen(card["login_url"]) as page:
        assert page.status == 200
    assert run("stop", card["session_id"]).exit_code == 0
    assert process_started(card["pid"]) is None
    assert run("stop", card["session_id"]).exit_code == 0


def test_the_card_names_everything_a_person_needs_and_ctrl_c_ends_the_session(state_dir: Path) -> None:
    with Terminal(*MAIN, "demo") as terminal:
        terminal.wait_for("curc-guide is ready.")
        shown = terminal.wait_for("Stop")
        record = _wait_for_record(state_dir)
        for words in ("/login#token=", f"{record.base_url}", "api.key", 'curc_llm.connect("local-'):
            assert words in shown
        terminal.type(CTRL_C)
        terminal.wait_for("Nothing of it is left running.")
        assert terminal.wait_for_end() == 0
    assert process_started(record.pid) is None


def test_an_attached_demo_whose_terminal_closes_ends_its_session(state_dir: Path) -> None:
    command = [sys.executable, *MAIN, "demo", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        card = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 0
    assert process_started(card["pid"]) is None


def test_ctrl_c_while_the_model_loads_ends_everything(state_dir: Path, model: Path) -> None:
    (model / "slow.txt").touch()
    with Terminal(*MAIN, "serve", str(model), "--detach") as terminal:
        terminal.wait_for("my-model: ")
        record = _wait_for_record(state_dir)
        terminal.type(CTRL_C)
        terminal.wait_for("Nothing of it is left running.")
        assert terminal.wait_for_end() == 130
    assert process_started(record.pid) is None


def test_a_session_that_is_stopped_elsewhere_ends_the_attached_command(run: Run, state_dir: Path) -> None:
    with Terminal(*MAIN, "demo") as terminal:
        terminal.wait_for("is ready.")
        assert run("stop").exit_code == 0
        terminal.wait_for("The session has ended")
        assert terminal.wait_for_end() == 0


def test_an_engine_that_can_not_start_is_told_in_plain_words(run: Run, state_dir: Path, model: Path) -> None:
    (model / "fail.txt").write_text(OUT_OF_MEMORY)
    result = run("serve", str(model), "--detach", "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    error, remedy = result.stderr.splitlines()[-2:]
    assert error.startswith("Error: ")
    assert "memory" in error
    assert remedy.strip()
    assert "Traceback" not in result.stderr
    assert [found.status for found in discover_sessions(state_dir, over_too=True)] == [SessionStatus.FAILED]


def test_several_models_are_served_and_flags_win_over_the_settings(
    run: Run, state_dir: Path, model: Path, tmp_path: Path
) -> None:
    config = tmp_path / "mine.yml"
    config.write_text(f"models:\n  mine:\n    model: {model}\n    max_model_len: 256\n    port: 1\n")
    flags = ["--max-model-len", "512", "--max-num-seqs", "3", "--port", "0", "--device", "cpu"]
    card = json.loads(run("serve", "mine", "demo", "-c", str(config), *flags, "--detach", "--json").stdout)
    try:
        spec = json.loads(SessionPaths(Path(card["record_file"]).parent).spec.read_text())
        assert [e["served_model_name"] for e in spec["engines"]] == ["mine", "curc-guide"]
        assert {(e["max_model_len"], e["max_num_seqs"]) for e in spec["engines"]} == {(512, 3)}
        assert card["model"] == "mine"
        assert run("ask", "Hi", "-m", "curc-guide", "--max-tokens", "1").stdout == "word0\n"
    finally:
        run("stop", card["session_id"])


@pytest.mark.parametrize("wanted", ["no-such-folder/", "../../x", 'it\'s "x"\n', "./nothing", ""])
def test_what_is_no_model_is_told_before_anything_starts(run: Run, state_dir: Path, wanted: str) -> None:
    result = run("serve", wanted)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert not (state_dir / "sessions").exists()


def test_no_model_at_all_is_told(run: Run) -> None:
    result = run("serve")
    assert result.exit_code == 1
    assert "active_model" in result.stderr


def test_a_taken_port_is_told(run: Run, state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = run("demo", "--port", str(port), "--detach")
    assert result.exit_code == 1
    assert str(port) in result.stderr


def test_a_state_folder_that_can_not_be_written_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CURC_LLM_STATE_DIR", str(tmp_path / "file"))
    result = run("demo", "--detach")
    assert result.exit_code == 1
    assert "CURC_LLM_STATE_DIR" in result.stderr


def test_a_python_without_vllm_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_ENGINE_PYTHON", "/bin/false")
    result = run("demo", "--detach")
    assert result.exit_code == 1
    assert "has no vLLM" in result.stderr


def test_a_person_is_asked_once_whether_to_download_a_real_model(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.fakes.fake_session import FakeSession

    with FakeSession(tmp_path / "elsewhere") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with Terminal(*MAIN, "demo") as terminal:
            assert "1.5 GB" in terminal.wait_for("[y/N]")
            terminal.type(ENTER)
            terminal.wait_for("curc-guide is ready.")
            terminal.type(CTRL_C)
            assert terminal.wait_for_end() == 0
        assert REAL_MODEL in terminal.text
        with Terminal(*MAIN, "demo") as terminal:
            terminal.wait_for("as you chose before")
            terminal.wait_for("curc-guide is ready.")
            terminal.type(CTRL_C)
            assert terminal.wait_for_end() == 0
    assert "[y/N]" not in terminal.text


def test_a_yes_is_remembered_and_kept_to(state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "demo.json").write_text('{"real_model": true}')
    with Terminal(*MAIN, "demo") as terminal:
        terminal.wait_for(f"Serving {REAL_MODEL}, as you chose before.")
        terminal.wait_for("Starting session")
        terminal.type(CTRL_C)
        terminal.wait_for_end()


def test_the_hint_for_jupyterlab_is_what_one_types_make_or_the_command() -> None:
    assert tell_of_lab({"MAKELEVEL": "1"}).startswith("With `make demo LAB=1`, JupyterLab starts too")
    assert tell_of_lab({}).startswith("With --lab, JupyterLab starts too")
