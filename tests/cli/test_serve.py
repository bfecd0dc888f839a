"""`serve`: planned before anything starts, and done again with `--from`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.session.store import discover_sessions, find_session
from tests.cli.conftest import REPOSITORY, Run

Spawn = Callable[..., subprocess.CompletedProcess[str]]
HEADER = b"{}"


@pytest.fixture(autouse=True)
def _settings(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fake engine on a machine without GPUs, and no session left behind."""
    monkeypatch.setenv("CURC_LLM_ENGINE_PYTHON", str(REPOSITORY / "tests/fakes/fake_engine_python.py"))
    monkeypatch.setenv("CURC_LLM_DEVICE", "cpu")
    yield
    left = discover_sessions(state_dir)
    for found in left:
        os.kill(found.record.pid, signal.SIGKILL)
    assert left == []


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model of a kind that nobody knows."""
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(len(HEADER).to_bytes(8, "little") + HEADER)
    return folder


def read_spec(state_dir: Path, session_id: str) -> dict[str, Any]:
    return dict(json.loads(find_session(state_dir, session_id).paths.spec.read_text()))


def test_what_can_not_fit_is_refused_with_three_before_anything_starts(
    run: Run, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = tmp_path / "giant.yml"
    catalogue.write_text("models:\n  qwen3-8b:\n    weight_bytes: 4000000000000000\n")
    monkeypatch.setenv("CURC_LLM_CATALOGUE", str(catalogue))
    result = run("serve", "qwen3-8b")
    assert result.exit_code == 3
    error, remedy = result.stderr.splitlines()[-2:]
    assert error.startswith("Error: Qwen3 8B")
    assert "GiB" in error
    assert remedy.strip()
    assert result.stdout == ""
    assert not (state_dir / "sessions").exists()


def test_a_preset_that_there_is_none_of_is_told_before_anything_starts(run: Run, state_dir: Path) -> None:
    result = run("serve", "qwen3-0.6b", "--preset", "fastest")
    assert result.exit_code == 1
    assert "fastest" in result.stderr
    assert not (state_dir / "sessions").exists()


@pytest.mark.parametrize("more", [["demo"], ["--seed", "1"], ["--max-model-len", "512"]])
def test_a_repeat_takes_nothing_that_would_make_it_another_run(run: Run, more: list[str]) -> None:
    result = run("serve", "--from", "local-x", *more)
    assert result.exit_code == 2
    assert more[0] in result.stderr


def test_a_repeat_of_nothing_is_told(run: Run, tmp_path: Path) -> None:
    assert "There is no session 'local-gone'" in run("serve", "--from", "local-gone").stderr
    old = tmp_path / "spec.json"
    old.write_text('{"version": 1, "session_id": "local-old"}')
    result = run("serve", "--from", str(old))
    assert result.exit_code == 1
    assert "launch spec of version 1; this curc-llm reads version 4" in result.stderr


@pytest.mark.slow
def test_a_session_is_done_again_with_the_same_engines(spawn: Spawn, state_dir: Path, model: Path) -> None:
    flags = ["--max-model-len", "512", "--seed", "7", "--time-h", "2", "--detach", "--json"]
    first = spawn("serve", str(model), *flags)
    assert first.returncode == 0, first.stderr
    assert "my-model: Whether it fits can't be told before it runs" in first.stderr
    card = json.loads(first.stdout)
    old = read_spec(state_dir, card["session_id"])
    assert (old["engines"][0]["seed"], old["origins"][0]["request"]["max_model_len"]) == (7, 512)
    assert old["versions"]["curc-llm"]
    assert spawn("stop", card["session_id"]).returncode == 0

    again = spawn("serve", "--from", card["session_id"], "--detach", "--json")
    assert again.returncode == 0, again.stderr
    assert "Warning" not in again.stderr
    session_id = json.loads(again.stdout)["session_id"]
    new = read_spec(state_dir, session_id)
    assert spawn("stop", session_id).returncode == 0
    assert (new["engines"], new["wall_time_s"]) == (old["engines"], 7200)
    assert new["repeats"] == card["session_id"] != new["session_id"]


@pytest.mark.slow
def test_what_differs_in_a_repeat_is_told(spawn: Spawn, state_dir: Path, model: Path, tmp_path: Path) -> None:
    first = spawn("serve", str(model), "--detach", "--json")
    session_id = json.loads(first.stdout)["session_id"]
    spec = read_spec(state_dir, session_id)
    assert spawn("stop", session_id).returncode == 0
    saved = tmp_path / "shared.json"
    saved.write_text(json.dumps({**spec, "versions": {**spec["versions"], "vllm": "0.1"}}))
    (model / "config.json").write_text('{"changed": true}')
    again = spawn("serve", "--from", str(saved), "--detach", "--json", "--idle-stop-min", "3")
    assert again.returncode == 0, again.stderr
    assert f"not quite the run of {session_id}: the folder {model} has changed; vllm was 0.1" in again.stderr
    session_id = json.loads(again.stdout)["session_id"]
    assert read_spec(state_dir, session_id)["idle_stop_min"] == 3
    assert spawn("stop", session_id).returncode == 0
