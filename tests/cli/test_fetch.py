"""`curc-llm fetch` from a real HTTP server, as people and scripts see it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fakes.fake_hub import FakeHub, FakeModel
from tests.fakes.terminal import CTRL_C, ENTER, Terminal

pytestmark = pytest.mark.slow  # the download is a process of its own

MAIN = ("-m", "curc_llm.cli.main")
MIB = 1 << 20
WEIGHTS = os.urandom(12 * MIB)
FILES = {"config.json": b'{"model_type": "llama"}', "model.safetensors": WEIGHTS, "README.md": b"# about"}
NEEDED = {"config.json", "model.safetensors"}


@pytest.fixture
def hub(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.models["acme/tiny"] = FakeModel(dict(FILES), licence="apache-2.0")
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("CURC_LLM_HF_HOME", str(state_dir.parent / "hf"))
        yield hub


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_size_licence_and_place_are_shown_and_the_model_arrives(
    run: Run, hub: FakeHub, tmp_path: Path
) -> None:
    result = run("fetch", "acme/tiny", "--yes")
    assert result.exit_code == 0, result.stderr
    assert "12.0 MiB in 2 files" in result.stdout
    assert re.search(r"Licence +apache-2.0", result.stdout)
    assert re.search(r"Gated +no", result.stdout)
    folder = Path(result.stdout.splitlines()[-1])
    assert folder.is_relative_to(tmp_path / "hf")
    assert {path.name for path in folder.iterdir()} == NEEDED
    assert "curc-llm launch acme/tiny" in result.stderr


def test_scripts_get_one_json_object_per_line(run: Run, hub: FakeHub) -> None:
    hub.bytes_per_s = 16 * MIB
    told = lines(run("fetch", "acme/tiny", "--yes", "--json").stdout)
    phases = list(dict.fromkeys(line["phase"] for line in told))
    assert phases == ["found", "downloading", "checking", "done"]
    assert told[0]["licence"] == "apache-2.0"
    assert told[-1]["path"] == told[0]["path"]
    assert told[-1]["revision"] == hub.models["acme/tiny"].commit


def test_without_a_terminal_nobody_accepts_a_licence_by_accident(run: Run, hub: FakeHub) -> None:
    result = run("fetch", "acme/tiny")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert not [seen for seen in hub.seen if "/resolve/" in seen.path]


def test_on_a_terminal_it_asks_shows_a_bar_and_fits_80_columns(hub: FakeHub, tmp_path: Path) -> None:
    hub.bytes_per_s = 8 * MIB
    with Terminal(*MAIN, "fetch", "acme/tiny") as terminal:
        terminal.wait_for("Fetch 12.0 MiB under this licence? [Y/n]")
        terminal.type(ENTER)
        terminal.wait_for("Fetching")
        terminal.wait_for("It is here and whole.")
        assert terminal.wait_for_end() == 0
        text = terminal.text.replace(str(tmp_path), "~")
        assert "/12.0 MiB" in text
        commit = hub.models["acme/tiny"].commit
        longest = [line for line in re.split(r"[\r\n]+", text) if commit not in line]
        assert max(map(len, longest)) <= 80


def test_no_at_the_question_fetches_nothing(hub: FakeHub) -> None:
    with Terminal(*MAIN, "fetch", "acme/tiny") as terminal:
        terminal.wait_for("[Y/n]")
        terminal.type("n" + ENTER)
        assert terminal.wait_for_end() == 130
    assert not [seen for seen in hub.seen if "/resolve/" in seen.path]


def test_ctrl_c_keeps_what_is_there_and_the_same_command_goes_on(
    run: Run, hub: FakeHub, tmp_path: Path
) -> None:
    hub.holds_at = 11 * MIB
    with Terminal(*MAIN, "fetch", "acme/tiny", "--yes") as terminal:
        _wait_for_partial(tmp_path, 10 * MIB)
        terminal.type(CTRL_C)
        terminal.wait_for("the same command goes on")
        assert terminal.wait_for_end() == 130
    hub.holds_at = None
    result = run("fetch", "acme/tiny", "--yes")
    assert "10.0 MiB of it here already" in result.stdout
    assert result.exit_code == 0
    assert hub.ranges() == [f"bytes={10 * MIB}-"]
    assert "all of it here" in run("fetch", "acme/tiny").stdout


def _wait_for_partial(folder: Path, size: int) -> None:
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size >= size for path in folder.rglob("*.incomplete")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_command_that_is_terminated_leaves_no_process(hub: FakeHub, tmp_path: Path) -> None:
    hub.holds_at = 11 * MIB
    command = [sys.executable, *MAIN, "fetch", "acme/tiny", "--yes"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _wait_for_partial(tmp_path, 1)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert _knowing(tmp_path / "hf") == []


def _knowing(path: Path) -> list[str]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"HF_HOME={path}".encode() in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:
            continue
    return found


def test_a_shared_folder_gets_a_plain_folder_with_the_model(run: Run, hub: FakeHub, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    result = run("fetch", "acme/tiny", "--to", str(shared), "--yes")
    assert result.exit_code == 0, result.stderr
    assert {path.name for path in (shared / "tiny").iterdir()} == NEEDED
    assert [path.name for path in shared.iterdir()] == ["tiny"]
    assert f"curc-llm launch {shared / 'tiny'}" in result.stderr
    again = run("fetch", "acme/tiny", "--to", str(shared))
    assert (again.exit_code, "here" in again.stderr) == (0, True)


def test_a_folder_that_is_not_there_is_refused_before_the_hub_is_asked(run: Run, hub: FakeHub) -> None:
    result = run("fetch", "acme/tiny", "--to", "/no/such/folder")
    assert result.exit_code == 1
    assert "There is no folder" in result.stderr
    assert hub.seen == []


def test_a_gated_model_names_its_page_and_the_token_command(run: Run, hub: FakeHub) -> None:
    hub.models["acme/tiny"].gated = True
    result = run("fetch", "acme/tiny", "--yes")
    assert result.exit_code == 1
    assert f"{hub.url}/acme/tiny" in result.stderr
    assert "curc-llm token" in result.stderr


def test_a_stored_token_opens_a_gated_model(run: Run, hub: FakeHub) -> None:
    hub.models["acme/tiny"].gated = True
    hub.valid_tokens = hub.models["acme/tiny"].allowed_tokens = {"hf_abcdefgh1234"}
    assert run("token", typed="hf_abcdefgh1234").exit_code == 0
    result = run("fetch", "acme/tiny", "--yes")
    assert result.exit_code == 0
    assert "you have been let in" in result.stdout


def test_a_model_that_is_too_large_for_the_disk_is_refused_at_once(run: Run, hub: FakeHub) -> None:
    hub.models["acme/tiny"].stated_sizes["model.safetensors"] = 1 << 60
    result = run("fetch", "acme/tiny", "--yes")
    assert result.exit_code == 1
    assert "GiB more" in result.stderr
    assert not [seen for seen in hub.seen if "/resolve/" in seen.path]


def test_a_damaged_file_is_told_and_the_exit_status_says_so(run: Run, hub: FakeHub) -> None:
    hub.models["acme/tiny"].spoilt["model.safetensors"] = 99
    result = run("fetch", "acme/tiny", "--yes")
    assert result.exit_code == 1
    assert "checksum" in result.stderr


def test_offline_says_what_is_here_and_asks_nobody(
    run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("fetch", "acme/tiny", "--yes", "--no-checksums").exit_code == 0
    hub.seen.clear()
    monkeypatch.setenv("CURC_LLM_OFFLINE", "1")
    here = run("fetch", "acme/tiny", "--json")
    assert (here.exit_code, lines(here.stdout)[0]["phase"]) == (0, "done")
    other = run("fetch", "acme/other")
    assert other.exit_code == 1
    assert "CURC_LLM_OFFLINE=0" in other.stderr
    assert hub.seen == []


def test_a_hub_out_of_reach_is_named_with_what_to_do(
    run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = run("fetch", "acme/tiny", "--yes")
    assert result.exit_code == 1
    assert "http://127.0.0.1:9 can't be reached" in result.stderr
    assert "login node" in result.stderr


def test_what_the_centre_keeps_is_not_fetched_again(
    run: Run, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "llms" / "hf-transformers" / "gpt-oss-20b"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    monkeypatch.setenv("CURC_LLM_DIR", str(tmp_path / "llms"))
    result = run("fetch", "gpt-oss-20b")
    assert (result.exit_code, str(folder) in result.stdout) == (0, True)
    assert hub.seen == []


def test_a_job_that_holds_gpus_is_told_that_a_login_node_is_cheaper(
    run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_GPUS", "0")
    assert "holds GPUs" in run("fetch", "acme/tiny", "--yes").stderr


@pytest.mark.parametrize("name", ["demo", "./here", "qwen3-8bb"])
def test_what_can_not_be_fetched_is_refused_with_a_remedy(run: Run, hub: FakeHub, name: str) -> None:
    result = run("fetch", name)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 2
