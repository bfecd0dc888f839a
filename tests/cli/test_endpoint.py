from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from curc_llm.session.login import check_token
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession


def test_the_key_is_shown_only_when_asked_for(run: Run, fake: FakeSession) -> None:
    plain = run("endpoint")
    assert fake.url in plain.stdout
    assert str(fake.paths.api_key) in plain.stdout
    assert fake.key not in plain.stdout + plain.stderr + run("endpoint", "--json").stdout
    assert fake.key in run("endpoint", "--show-key").stdout
    assert json.loads(run("endpoint", "--show-key", "--json").stdout)["api_key"] == fake.key


def test_the_fields_for_scripts_are_all_there(run: Run, fake: FakeSession) -> None:
    value = json.loads(run("endpoint", "--json").stdout)
    fixed = {"session_id", "chat_url", "login_url", "base_url", "model", "key_file", "record_file", "pid"}
    assert fixed <= set(value)
    assert value["chat_url"] == fake.url.removesuffix("/v1") + "/chat/"


def test_the_login_link_is_genuine_and_new_each_time(run: Run, fake: FakeSession) -> None:
    first, second = run("endpoint", "--login-link").stdout, run("endpoint", "--login-link").stdout
    assert first != second
    address, _, token = first.strip().partition("#token=")
    assert address == fake.url.removesuffix("/v1") + "/login"
    secret = fake.paths.login_secret.read_text().strip()
    assert check_token(secret, "login", token, time.time())


@pytest.mark.parametrize("model", ["curc-guide", 'it\'s "x" $(touch owned) `id`\n- y: z'])
def test_the_curl_snippet_works_as_pasted(run: Run, state_dir: Path, model: str, tmp_path: Path) -> None:
    with FakeSession(state_dir, models=(model,)) as fake:
        snippet = json.loads(run("endpoint", "--json").stdout)["snippets"]["curl"]
        done = subprocess.run(["sh", "-c", snippet], capture_output=True, text=True, cwd=tmp_path)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "You said: Hello", done.stderr
    assert fake.requests[-1]["body"]["model"] == model
    assert fake.key not in snippet
    assert not (tmp_path / "owned").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["python", "curc_llm"])
@pytest.mark.parametrize("model", ["curc-guide", 'it\'s "x" \\ \n y'])
def test_the_python_snippets_work_as_pasted(run: Run, state_dir: Path, model: str, name: str) -> None:
    with FakeSession(state_dir, models=(model,)):
        snippet = json.loads(run("endpoint", "--json").stdout)["snippets"][name]
        done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True)
    assert done.stdout == "You said: Hello\n", done.stderr


def test_the_continue_snippet_is_yaml_with_the_right_values(run: Run, state_dir: Path) -> None:
    model = 'a: "b" #c\n- d'
    with FakeSession(state_dir, models=(model,)) as fake:
        snippet = json.loads(run("endpoint", "--json").stdout)["snippets"]["continue"]
    entry = yaml.safe_load(snippet)["models"][0]
    assert (entry["model"], entry["apiBase"], entry["provider"]) == (model, fake.url, "openai")
    assert entry["apiKey"] == "${{ secrets.CURC_LLM_API_KEY }}"
    assert entry["defaultCompletionOptions"]["contextLength"] == 2048


def test_cline_is_warned_of_a_short_context(run: Run, fake: FakeSession) -> None:
    text = run("endpoint", "--format", "cline").stdout
    assert fake.url in text
    assert "too short" in text
    fake.change_engine(max_model_len=65536)
    assert "too short" not in run("endpoint", "--format", "cline").stdout


def test_the_tunnel_keeps_the_port_and_names_the_node(run: Run, fake: FakeSession) -> None:
    fake.change(host="c3gpu-5", base_url="http://c3gpu-5:8123/node/c3gpu-5/8123/v1", heartbeat_at=time.time())
    text = run("endpoint", "--format", "tunnel").stdout
    login = f"{fake.record.owner}@login.rc.colorado.edu"
    assert f"ssh -N -L 8123:c3gpu-5:8123 {login}" in text
    assert f"curc-llm tunnel --host c3gpu-5 --port 8123 --login-host {login}" in text


def test_another_model_can_be_chosen_but_not_one_that_is_not_there(run: Run, state_dir: Path) -> None:
    with FakeSession(state_dir, models=("one", "two")):
        assert "two" in run("endpoint", "-m", "two", "--format", "curl").stdout
        result = run("endpoint", "-m", "three")
    assert result.exit_code == 1
    assert "one, two" in result.stderr


def test_an_ended_session_has_no_endpoint(run: Run, fake: FakeSession) -> None:
    fake.end("idle", "Nobody used it.")
    result = run("endpoint", "local-fake01")
    assert result.exit_code == 1
    assert "Nobody used it." in result.stderr


def test_a_session_without_a_port_has_none_yet(run: Run, fake: FakeSession) -> None:
    fake.change(base_url=None)
    assert "no port yet" in run("endpoint").stderr
