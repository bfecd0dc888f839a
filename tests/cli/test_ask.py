from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession


def test_the_answer_alone_goes_to_standard_output(run: Run, fake: FakeSession) -> None:
    result = run("ask", "Hi", "--temperature", "0", "--max-tokens", "9", "--system", "Be brief.")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "You said: Hi\n", "")
    body = fake.requests[-1]["body"]
    assert (body["temperature"], body["max_tokens"], body["stream"]) == (0, 9, True)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_an_answer_can_be_whole_or_json(run: Run, fake: FakeSession) -> None:
    assert run("ask", "Hi", "--no-stream").stdout == "You said: Hi\n"
    value = json.loads(run("ask", "Hi [think]", "--json").stdout)
    assert value["answer"] == "You said: Hi [think]"
    assert value["reasoning"] == "Let me think."
    assert (value["model"], value["prompt_tokens"]) == ("curc-guide", 2)


def test_a_dash_stands_for_standard_input(run: Run, fake: FakeSession) -> None:
    result = run("ask", "Explain:", "-", typed=b"caf\xe9\n")
    assert result.stdout == "You said: Explain:\n\ncaf�\n"


def test_a_huge_question_from_standard_input_arrives(run: Run, fake: FakeSession) -> None:
    run("ask", "-", typed="x" * 2_000_000)
    assert len(fake.requests[-1]["body"]["messages"][0]["content"]) == 2_000_000


def test_an_empty_question_is_wrong_usage(run: Run, fake: FakeSession) -> None:
    assert run("ask", " ").exit_code == 2
    assert run("ask", "-", typed="\n").exit_code == 2


def test_an_unknown_model_lists_those_there_are(run: Run, fake: FakeSession) -> None:
    result = run("ask", "Hi", "-m", 'no"such')
    assert result.exit_code == 1
    assert "Models here: 'curc-guide'." in result.stderr
    assert result.stdout == ""


def test_a_loading_model_fails_at_once_when_nobody_wants_to_wait(run: Run, fake: FakeSession) -> None:
    fake.load()
    result = run("ask", "Hi", "--no-wait")
    assert result.exit_code == 1
    assert "loading 40 %" in result.stderr


def test_an_answer_that_was_cut_off_is_told_beside_it(run: Run, fake: FakeSession) -> None:
    result = run("ask", "[length]")
    assert result.stdout == "You said: [length]\n"
    assert "--max-tokens" in result.stderr


def test_an_answer_that_breaks_off_is_an_error_after_what_came(run: Run, fake: FakeSession) -> None:
    result = run("ask", "[cut]")
    assert result.exit_code == 1
    assert result.stdout == "You said: [cut]\n"
    assert "broke off" in result.stderr


def test_no_hostile_session_name_leaves_the_state_folder(run: Run, fake: FakeSession) -> None:
    for name in ("../../etc", "/etc", "a\nb"):
        result = run("ask", "Hi", "-s", name)
        assert result.exit_code == 1
        assert "There is no session" in result.stderr


@pytest.mark.slow
def test_ctrl_c_ends_the_generation_and_the_program(fake: FakeSession, state_dir: Path) -> None:
    command = [sys.executable, "-m", "curc_llm.cli.main", "ask", "[slow]"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(3) == b"You"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert fake.aborted.wait(5)
    assert process.returncode == 130
    assert b"Traceback" not in errors
