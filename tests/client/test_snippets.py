from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

from curc_llm.cli.endpoint import SNIPPETS
from curc_llm.client import Session, connect
from curc_llm.client.snippet_target import NO_KEY_FILE
from curc_llm.client.snippets import FORMATS, TITLES
from tests.environments import make_environment
from tests.fakes.fake_session import FakeSession

PYTHON = ("python", "curc_llm", "langchain", "llamaindex", "litellm")
# In one environment, as in a person's: that they go together with one openai is part of the test.
PACKAGES = ("langchain-openai==1.7.3", "litellm==1.106.2", "llama-index-llms-openai-like==0.8.1")
HOSTILE = "a\"b'c\\d\n$(touch owned) `id`"


def test_every_snippet_has_a_heading_and_a_flag_of_the_command_line() -> None:
    assert tuple(FORMATS) == tuple(TITLES) == SNIPPETS


def test_snippets_name_endpoint_model_and_key_file_but_never_the_key(
    fake: FakeSession, session: Session
) -> None:
    snippets = session.snippets()
    assert set(snippets) == set(FORMATS)
    for name, text in snippets.items():
        assert fake.key not in text, name
        if name not in {"tunnel", "curc_llm"}:
            assert fake.url in text, name
            assert "curc-guide" in text, name
            assert str(fake.paths.api_key) in text, name


@pytest.mark.parametrize("name", PYTHON)
@pytest.mark.parametrize("model", [HOSTILE, "org/model:v1"])
def test_python_snippets_are_python_whatever_the_model_is_called(
    state_dir: Path, name: str, model: str
) -> None:
    with FakeSession(state_dir, models=(model,)), connect() as session:
        tree = ast.parse(session.snippets()[name])
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {model, f"hosted_vllm/{model}"} & strings


def test_continue_s_key_is_written_once_and_beside_what_is_there(
    fake: FakeSession, session: Session, tmp_path: Path
) -> None:
    env = tmp_path / ".continue" / ".env"
    env.parent.mkdir()
    env.write_text("OTHER=1\nCURC_LLM_API_KEY=curc-old")
    lines = session.snippets()["continue"].splitlines()
    command = "\n".join(line.removeprefix("#") for line in lines if line.startswith("#   "))
    for _ in range(2):
        subprocess.run(["/bin/sh", "-c", command], check=True, env={**os.environ, "HOME": str(tmp_path)})
        assert env.read_text() == f"OTHER=1\nCURC_LLM_API_KEY={fake.key}\n"
        assert env.stat().st_mode & 0o077 == 0


def test_another_model_can_be_chosen(state_dir: Path) -> None:
    with FakeSession(state_dir, models=("one", "two")), connect() as session:
        assert "'two'" in session.snippets(model="two")["python"]


def test_a_session_elsewhere_is_named_by_address_and_key_file(fake: FakeSession) -> None:
    with connect(fake.url, api_key_file=fake.paths.api_key) as session:
        snippet = session.snippets()["curc_llm"]
        assert fake.url in snippet
        assert str(fake.paths.api_key) in snippet
        assert session.key_file == fake.paths.api_key


def test_a_key_that_was_given_as_text_is_in_no_snippet(fake: FakeSession) -> None:
    with connect(fake.url, api_key=fake.key) as session:
        assert session.key_file is None
        for name, text in session.snippets().items():
            assert fake.key not in text
            assert name == "tunnel" or NO_KEY_FILE in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["langchain", "llamaindex", "litellm"])
def test_the_snippets_work_as_pasted_with_the_packages_they_are_for(
    state_dir: Path, name: str, tmp_path: Path
) -> None:
    python = make_environment(PACKAGES)
    model = "org/it's a model:v1"
    # As on a compute node: nothing but the session can be reached.
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1", **nowhere}
    with FakeSession(state_dir, models=(model,)) as fake, connect() as session:
        snippet = session.snippets()[name]
        done = subprocess.run(
            [python, "-c", snippet], capture_output=True, text=True, env=environ, timeout=120
        )
    assert done.stdout == "You said: Hello\n", done.stderr
    asked = [request["body"] for request in fake.requests if request["body"]]
    assert [body["model"] for body in asked] == [model]
    assert len(asked) == 1
