"""From the portal's folder to a session's: what the job finds, makes, links and says when it can't."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from curc_llm.errors import CurcLlmError, SpecError
from curc_llm.job import portal
from curc_llm.spec import read_launch_spec

DEMO = {"llm_model": "own", "llm_own_model": "demo", "llm_gpus": "l40-x1", "bc_num_hours": "1"}
ACCOUNT = {"auto_accounts": "ucb-general"}


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    folder = tmp_path / "output" / "2c9b8a00-1111-4222-8333-123456789abc"
    folder.mkdir(parents=True)
    write_context(folder, DEMO | ACCOUNT)
    return folder


def write_context(folder: Path, values: Any) -> None:
    (folder / "user_defined_context.json").write_text(json.dumps(values))


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path), "USER": "ralphie", "CURC_LLM_STATE_DIR": str(tmp_path / "state")} | more


def test_the_session_s_folder_is_made_and_linked(staged: Path, tmp_path: Path) -> None:
    spec_path = portal.prepare_session(staged, environment(tmp_path, host="c3gpu-1"))
    spec = read_launch_spec(spec_path)
    assert spec.session_id == "ood-2c9b8a00"
    assert spec.engines[0].served_model_name == "curc-guide"
    assert spec.advertise_host == "c3gpu-1"
    assert (staged / "session").resolve() == spec_path.parent.resolve()
    assert stat.S_IMODE(spec_path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(spec_path.stat().st_mode) == 0o600
    assert json.loads((staged / "session" / "portal.json").read_text())["login_hosts"]


def test_a_job_that_starts_again_keeps_its_name_and_forgets_its_last_run(
    staged: Path, tmp_path: Path
) -> None:
    environ = environment(tmp_path)
    first = portal.prepare_session(staged, environ)
    for name in ("session.json", "api.key", "login.key", "keys.json", "login.used"):
        (first.parent / name).write_text("old")
    again = portal.prepare_session(staged, environ)
    assert again == first
    left = {path.name for path in again.parent.iterdir()}
    assert not {"session.json", "api.key", "login.key", "keys.json", "login.used"} & left


def test_a_user_whose_name_has_an_at_sign_gets_a_session(staged: Path, tmp_path: Path) -> None:
    home = tmp_path / "ralphie@colostate.edu"
    home.mkdir()
    spec_path = portal.prepare_session(staged, environment(home, USER="ralphie@colostate.edu"))
    assert "ralphie@colostate.edu" in str(spec_path)


@pytest.mark.parametrize("host", ["", "a b", "$(id)", "-x", "a/b", "a\nb", "x" * 300, "a..;"])
def test_a_host_that_is_none_is_not_passed_on(host: str) -> None:
    assert portal.read_host({"host": host}) == ""


@pytest.mark.parametrize("host", ["c3gpu-a9-u29-1", "node.rc.int.colorado.edu", "n1"])
def test_the_portal_s_name_of_the_node_is_kept(host: str) -> None:
    assert portal.read_host({"host": host}) == host


def test_what_can_t_fit_is_refused_with_what_would(staged: Path, tmp_path: Path) -> None:
    write_context(staged, ACCOUNT | {"llm_model": "deepseek-r1", "llm_gpus": "l40-x1", "bc_num_hours": "1"})
    with pytest.raises(CurcLlmError) as caught:
        portal.prepare_session(staged, environment(tmp_path))
    assert "l40" in caught.value.message
    assert caught.value.remedy


def test_a_folder_in_the_link_s_place_is_not_touched(staged: Path, tmp_path: Path) -> None:
    (staged / "session").mkdir()
    with pytest.raises(SpecError, match="isn't a link"):
        portal.prepare_session(staged, environment(tmp_path))


def run_main(staged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[int, list[str]]:
    started: list[str] = []
    monkeypatch.setattr(os, "execv", lambda _, command: started.extend(command))
    monkeypatch.setenv("CURC_LLM_STATE_DIR", str(tmp_path / "state"))
    before = os.umask(0o022)
    try:
        return portal.main([str(staged)]), started
    finally:
        os.umask(before)


def test_the_process_becomes_the_job(staged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, started = run_main(staged, monkeypatch, tmp_path)
    assert started[1:4] == ["-P", "-m", "curc_llm.job"]
    assert started[4].endswith("ood-2c9b8a00/spec.json")
    assert not (staged / "trouble.json").exists()


def test_trouble_is_left_for_the_card(staged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_context(staged, DEMO | {"llm_qos": "$(touch /tmp/pwned)"})
    status, started = run_main(staged, monkeypatch, tmp_path)
    said = json.loads((staged / "trouble.json").read_text())
    assert (status, started) == (1, [])
    assert "QoS '$(touch /tmp/pwned)'" in said["message"]
    assert stat.S_IMODE((staged / "trouble.json").stat().st_mode) == 0o600


def test_a_wrong_command_line_is_told() -> None:
    assert portal.main([]) == 2


def test_a_folder_with_another_name_gets_a_name_of_its_own() -> None:
    assert portal.make_portal_session_id(Path("/x/$(id)")).startswith("ood-")
    assert "$" not in portal.make_portal_session_id(Path("/x/$(id)"))
