"""`curc-llm token` against a real HTTP server: what is asked, stored, told, and never shown."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.conftest import Run
from tests.fakes.fake_hub import FakeHub, FakeModel
from tests.fakes.terminal import CTRL_C, ENTER, Terminal

MAIN = ("-m", "curc_llm.cli.main")
TOKEN = "hf_abcdefgh1234"
GATED = "meta-llama/Llama-3.1-8B-Instruct"
Spawn = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def hub(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.valid_tokens = {TOKEN}
        auth = {"accessToken": {"displayName": "alpine", "role": "read"}}
        hub.accounts[TOKEN] = {"name": "ralphie", "auth": auth}
        hub.models[GATED] = FakeModel({}, gated=True, allowed_tokens={TOKEN})
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".cache" / "huggingface" / "token"


def put(path: Path, text: str = TOKEN, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(mode)


def test_a_piped_token_is_stored_privately_and_the_account_is_told(
    run: Run, hub: FakeHub, path: Path
) -> None:
    result = run("token", typed=f"{TOKEN}\n")
    assert result.exit_code == 0
    assert "ralphie, called 'alpine'" in result.stdout
    assert GATED in result.stdout
    assert path.read_text() == TOKEN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TOKEN not in result.output


def test_scripts_get_the_same_as_json(run: Run, hub: FakeHub, path: Path) -> None:
    value = json.loads(run("token", "--json", typed=TOKEN).stdout)
    assert (value["name"], value["role"], value["works"]) == ("ralphie", "read", True)
    assert value["gated_models"][GATED] is True
    assert value["path"] == str(path)


@pytest.mark.slow
def test_on_a_terminal_it_is_asked_for_without_showing_it(hub: FakeHub, path: Path) -> None:
    with Terminal(*MAIN, "token") as terminal:
        terminal.wait_for("not shown")
        terminal.type(TOKEN + ENTER)
        terminal.wait_for("ralphie")
        assert terminal.wait_for_end() == 0
        assert TOKEN not in terminal.raw
        text = terminal.text.replace(str(path), "~/.cache/huggingface/token")
        assert max(map(len, text.splitlines())) <= 80
    assert path.read_text() == TOKEN


@pytest.mark.slow
def test_ctrl_c_at_the_question_stores_nothing(hub: FakeHub, path: Path) -> None:
    with Terminal(*MAIN, "token") as terminal:
        terminal.wait_for("not shown")
        terminal.type(CTRL_C)
        assert terminal.wait_for_end() == 130
    assert not path.exists()


def test_a_token_in_the_command_is_refused_and_not_repeated(run: Run, hub: FakeHub, path: Path) -> None:
    result = run("token", TOKEN)
    assert result.exit_code == 1
    assert "Revoke that one" in result.stderr
    assert TOKEN not in result.output
    assert run("token", "please").exit_code == 2
    assert run("token", "--show", "--remove").exit_code == 2
    assert not path.exists()


def test_a_token_that_the_hub_refuses_is_not_stored(run: Run, hub: FakeHub, path: Path) -> None:
    put(path)
    result = run("token", typed="hf_wrong_wrong_wrong")
    assert result.exit_code == 1
    assert "does not accept this token" in result.stderr
    assert path.read_text() == TOKEN


@pytest.mark.parametrize("typed", ["", "password", b"\xff\xfe\n"])
def test_what_is_no_token_is_refused(run: Run, hub: FakeHub, path: Path, typed: str) -> None:
    result = run("token", typed=typed)
    assert result.exit_code == 1
    assert "huggingface.co/settings/tokens" in result.stderr
    assert not path.exists()
    assert hub.seen == []


def test_a_hub_out_of_reach_stores_it_and_says_that_it_is_unproven(
    run: Run, hub: FakeHub, path: Path
) -> None:
    hub.broken = True
    result = run("token", "--json", typed=TOKEN)
    assert json.loads(result.stdout)["works"] is None
    assert "isn't known" in result.stderr
    assert path.read_text() == TOKEN


def test_offline_and_no_check_ask_nobody(run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "without asking" in run("token", "--no-check", typed=TOKEN).stderr
    monkeypatch.setenv("CURC_LLM_OFFLINE", "1")
    assert run("token", typed=TOKEN).exit_code == 0
    assert run("token", "--show").exit_code == 0
    assert hub.seen == []


def test_show_says_where_it_is_and_mends_a_file_that_others_can_read(
    run: Run, hub: FakeHub, path: Path
) -> None:
    put(path, mode=0o644)
    result = run("token", "--show")
    assert result.exit_code == 0
    assert str(path) in result.stdout
    assert "others could read" in result.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TOKEN not in result.output


def test_show_without_a_token_says_who_needs_one(run: Run, hub: FakeHub, path: Path) -> None:
    result = run("token", "--show")
    assert (result.exit_code, "gated" in result.stderr) == (1, True)
    assert json.loads(run("token", "--show", "--json").stdout)["stored"] is False


def test_show_of_a_dead_token_fails(run: Run, hub: FakeHub, path: Path) -> None:
    put(path, "hf_revoked_token")
    result = run("token", "--show", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["works"] is False
    assert "hf_revoked" not in result.output


def test_a_token_without_the_right_box_ticked_says_which(run: Run, hub: FakeHub) -> None:
    auth = {"accessToken": {"role": "fineGrained", "fineGrained": {"canReadGatedRepos": False}}}
    hub.accounts[TOKEN] = {"name": "ralphie", "auth": auth}
    assert "Read access to gated repos" in run("token", typed=TOKEN).stdout


def test_remove_takes_it_away_and_names_what_is_left(
    run: Run, hub: FakeHub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path)
    path.with_name("stored_tokens").write_text("[x]\nhf_token = hf_abcdefgh1234\n")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    result = run("token", "--remove")
    assert not path.exists()
    assert "hf auth logout" in result.stderr
    assert "HF_TOKEN is set" in result.stderr
    assert "revoke it" in result.stderr
    again = run("token", "--remove", "--json")
    assert (again.exit_code, json.loads(again.stdout)["removed"]) == (0, False)


@pytest.mark.slow
def test_no_process_ever_carries_the_token_in_its_arguments(spawn: Spawn, hub: FakeHub, path: Path) -> None:
    done = spawn("token", "--json", input=TOKEN)
    assert done.returncode == 0
    assert TOKEN not in done.stdout + done.stderr
    assert {seen.token for seen in hub.seen} == {TOKEN}
    assert not [seen for seen in hub.seen if TOKEN in seen.path]
