from __future__ import annotations

import json
import os
import resource
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from curc_llm.cli.check import Check
from curc_llm.cli.check_folders import check_folder, check_home, check_sockets
from curc_llm.cli.checks import check_open_files, check_python
from curc_llm.settings import load_settings
from tests.cli.conftest import Run

GPU_LINES = {
    "new": "NVIDIA L40S, 580.95.05, 8.9, 46068 MiB",
    "old_gpu": "Tesla V100, 580.95.05, 7.0, 16384 MiB",
    "old_driver": "NVIDIA A100, 535.10, 8.0, 81920 MiB",
    "strange": "NVIDIA Next, [N/A], [N/A], 1 MiB",
}


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where no hub answers, quickly."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def _write_program(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def _checks(run: Run, *args: str) -> dict[str, dict[str, Any]]:
    result = run("doctor", "--json", *args)
    value = json.loads(result.stdout)
    assert result.exit_code == (0 if value["ok"] else 1)
    return {check["name"]: check for check in value["checks"]}


def test_every_check_has_a_level_and_every_trouble_a_remedy(run: Run) -> None:
    checks = _checks(run)
    assert {"settings", "Python", "engine", "GPU", "state_dir", "sockets", "port", "hub"} <= set(checks)
    for check in checks.values():
        assert check["level"] in {"ok", "warn", "fail"}
        assert check["level"] == "ok" or check["remedy"]
    assert checks["hub"]["level"] == "warn"


def test_people_get_a_line_per_check(run: Run) -> None:
    lines = run("doctor").stdout.splitlines()
    assert any(line.startswith("ok    Python") for line in lines)
    assert any(line.startswith("WARN  hub") for line in lines)


def test_an_offline_machine_does_not_ask_the_hub(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_OFFLINE", "1")
    assert _checks(run)["hub"]["message"] == "not asked: the settings say offline"


def test_a_hub_that_answers_is_reachable(
    run: Run, state_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.fakes.fake_session import FakeSession

    with FakeSession(tmp_path / "elsewhere") as fake:
        monkeypatch.setenv("HF_ENDPOINT", fake.url)
        assert _checks(run)["hub"]["level"] == "ok"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert _checks(run)["hub"]["level"] == "warn"


@pytest.mark.parametrize(
    ("kind", "level", "words"),
    [
        ("new", "ok", "L40S"),
        ("old_gpu", "fail", "7.0"),
        ("old_driver", "warn", "535.10"),
        ("strange", "ok", "Next"),
    ],
)
def test_gpus_are_judged_by_driver_and_compute_capability(
    run: Run, programs: Path, kind: str, level: str, words: str
) -> None:
    _write_program(programs / "nvidia-smi", f"echo '{GPU_LINES[kind]}'")
    check = _checks(run)["GPU"]
    assert check["level"] == level
    assert words in check["message"]


def test_a_gpu_that_is_asked_for_but_not_there_is_a_failure(
    run: Run, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_program(programs / "nvidia-smi", "echo broken; exit 9")
    monkeypatch.setenv("CURC_LLM_DEVICE", "cuda")
    assert _checks(run)["GPU"]["level"] == "fail"


@pytest.mark.parametrize(
    ("script", "words"),
    [('echo \'{"importable": false, "versions": {}}\'', "no vLLM"), ("exit 3", "can't be asked")],
)
def test_a_python_without_vllm_is_a_failure(
    run: Run, programs: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    _write_program(programs / "python-x", script)
    monkeypatch.setenv("CURC_LLM_ENGINE_PYTHON", str(programs / "python-x"))
    check = _checks(run)["engine"]
    assert (check["level"], words in check["message"]) == ("fail", True)


def test_a_misspelt_variable_is_found_and_the_right_one_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURC_LLM_IDEL_STOP_MIN", "5")
    monkeypatch.setenv("CURC_LLM_DIR", "/curc")
    monkeypatch.setenv("CURC_LLM_SESSION", "local-1")
    result = run("doctor").stdout
    assert "CURC_LLM_IDEL_STOP_MIN is not a setting" in result
    assert "Did you mean CURC_LLM_IDLE_STOP_MIN?" in result
    assert "CURC_LLM_DIR " not in result


def test_settings_that_can_not_be_used_are_a_failure_beside_the_others(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text("idle_stop_min: many\n")
    checks = _checks(run, "-c", str(path))
    assert checks["settings"]["level"] == "fail"
    assert f"{path}, line 1" in checks["settings"]["message"]
    assert "Python" in checks


def test_it_is_told_which_setting_comes_from_where(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text("idle_stop_min: 5\nmodels:\n  mine:\n    model: /m\n")
    message = _checks(run, "-c", str(path))["settings"]["message"]
    assert f"from {path}: idle_stop_min, models.mine" in message
    assert "from the environment: CURC_LLM_STATE_DIR" in message


def test_a_taken_port_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("CURC_LLM_PORT", str(server.getsockname()[1]))
        assert _checks(run)["port"]["level"] == "fail"


def test_a_token_that_others_can_read_is_a_failure(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("hf_secret")
    monkeypatch.setenv("HF_TOKEN_PATH", str(token))
    for mode, level in ((0o644, "fail"), (0o600, "ok")):
        token.chmod(mode)
        check = _checks(run)["HF token"]
        assert check["level"] == level
        assert "hf_secret" not in check["message"]


def test_a_folder_that_is_a_file_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check = check_folder("state_dir", tmp_path / "file" / "below", 0.1)
    assert check.level == "fail"
    assert "CURC_LLM_STATE_DIR" in check.remedy


def test_too_little_space_is_told(tmp_path: Path) -> None:
    check = check_folder("cache_dir", tmp_path / "new" / "below", 1e9)
    assert check.level == "warn"
    assert not (tmp_path / "new").exists()


def test_models_in_a_small_home_are_warned_of(tmp_path: Path) -> None:
    settings = load_settings(environ={"HOME": str(tmp_path)})
    assert check_home(settings, tmp_path).level == "ok"
    proc = Path("/proc")  # a file system of size 0
    inside = load_settings(environ={"HOME": str(proc)})
    assert check_home(inside, proc).level == "warn"


def test_sockets_need_a_short_folder_and_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        check = check_sockets()
        assert (check.level, short in check.message) == ("ok", True)
        assert list(Path(short).iterdir()) == []


def test_few_open_files_are_warned_of() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        assert check_open_files().level == "warn"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_old_python_is_a_failure() -> None:
    assert check_python((3, 9, 2)) == Check(
        "Python", "fail", "3.9.2 is too old.", "Use Python 3.11 or newer."
    )


def test_the_doctor_changes_nothing(run: Run, tmp_path: Path) -> None:
    before = {p: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    run("doctor")
    assert {p: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")} == before
