"""From a spec to a running job on this machine, and back to nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from curc_llm.errors import EngineError, LaunchError
from curc_llm.launch import detect_device, find_engine_python, launch_local, stop_session, wait_until_ready
from curc_llm.launch.local import is_ready
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import load_session, process_started
from curc_llm.settings import Settings, load_settings
from curc_llm.spec import LaunchSpec, make_launch_spec
from tests.fakes import fake_gateway
from tests.job.conftest import FAKE_PYTHON, wait_until


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FAKE_ENGINE_REAL_PYTHON", sys.executable)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return load_settings(environ={"HOME": str(tmp_path), "CURC_LLM_ENGINE_PYTHON": str(FAKE_PYTHON)})


def make_spec(settings: Settings, tmp_path: Path, **fields) -> LaunchSpec:
    spec = make_launch_spec(
        settings, (str(tmp_path / "model"),), device="cpu", engine_python=str(FAKE_PYTHON)
    )
    return spec.model_copy(update=fields)


@pytest.mark.slow
def test_a_session_is_launched_awaited_and_stopped(settings: Settings, tmp_path: Path) -> None:
    spec = make_spec(settings, tmp_path)
    pid = launch_local(spec)
    seen: list[SessionRecord] = []
    record = wait_until_ready(SessionPaths(spec.session_dir), seen.append, timeout_s=60, pid=pid)
    assert record.pid == pid
    assert record.base_url
    assert len(seen) >= 2
    found = load_session(spec.session_dir)
    assert found is not None
    last = stop_session(found)
    assert last is not None
    assert last.reason is not None
    assert last.reason.code == "stopped"
    wait_until(lambda: process_started(pid) is None)
    again = load_session(spec.session_dir)
    assert again is not None
    assert stop_session(again) == again.record


@pytest.mark.slow
def test_a_session_keeps_nothing_open_of_who_launched_it(settings: Settings, tmp_path: Path) -> None:
    """A script's lock, or the pipe that another program reads to its end, ends with the script."""
    spec = make_spec(settings, tmp_path)
    with (tmp_path / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        pid = launch_local(spec)
        open_in_it = {os.path.realpath(path) for path in Path("/proc", str(pid), "fd").iterdir()}
        wait_until_ready(SessionPaths(spec.session_dir), lambda _: None, timeout_s=60, pid=pid)
    found = load_session(spec.session_dir)
    assert found is not None
    stop_session(found)
    assert str(tmp_path / "lock") not in open_in_it


@pytest.mark.slow
def test_a_session_that_fails_while_it_is_awaited_says_why(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "FAKE_ENGINE_FAIL", "ValueError: Model architectures ['GPT9'] are not supported for now."
    )
    spec = make_spec(settings, tmp_path)
    pid = launch_local(spec)
    with pytest.raises(EngineError, match="GPT9"):
        wait_until_ready(SessionPaths(spec.session_dir), lambda _: None, timeout_s=60, pid=pid)
    wait_until(lambda: process_started(pid) is None)


def test_a_job_that_dies_before_its_first_record_is_noticed(tmp_path: Path) -> None:
    paths = SessionPaths(tmp_path)
    with pytest.raises(LaunchError, match=r"job\.log"):
        wait_until_ready(paths, lambda _: None, timeout_s=5, pid=2**22 + 1)


def test_models_that_are_ready_before_their_address_is_cannot_be_asked_yet() -> None:
    told = fake_gateway.make_record(base_url="http://127.0.0.1:1/v1")
    assert is_ready(SessionRecord.model_validate(told))
    assert not is_ready(SessionRecord.model_validate({**told, "base_url": None}))


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="isn't ready after 0 s"):
        wait_until_ready(SessionPaths(tmp_path), lambda _: None, timeout_s=0.3)


def test_a_state_folder_that_cant_be_written_is_told_before_anything_starts(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LaunchError, match="CURC_LLM_STATE_DIR"):
        launch_local(make_spec(settings, tmp_path, session_dir=tmp_path / "file" / "s"))


def test_a_python_without_vllm_is_refused_with_the_way_to_get_it(tmp_path: Path) -> None:
    bare = load_settings(environ={"HOME": str(tmp_path), "CURC_LLM_ENGINE_PYTHON": "/usr/bin/python3"})
    with pytest.raises(LaunchError, match=r"/usr/bin/python3 has no vLLM.*serve,engine-cpu"):
        find_engine_python(bare, "cpu")
    none = load_settings(environ={"HOME": str(tmp_path), "CURC_LLM_ENGINE_PYTHON": "/no/python"})
    with pytest.raises(LaunchError, match="/no/python can't be run"):
        find_engine_python(none, "cuda")


def test_this_python_is_the_default(tmp_path: Path) -> None:
    assert find_engine_python(load_settings(environ={"HOME": str(tmp_path)}), "cpu") == sys.executable
    assert detect_device() in {"cpu", "cuda"}
