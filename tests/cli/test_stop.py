from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from tests.cli.conftest import Run

Start = Callable[[str], subprocess.Popen[str]]


def test_stopping_ends_the_job_and_stopping_again_is_no_error(run: Run, session_process: Start) -> None:
    process = session_process("local-one")
    result = run("stop", "local-one")
    assert result.exit_code == 0
    assert "Nothing of it is left running" in result.stderr
    assert process.poll() is not None or process.wait(1) == 0
    again = run("stop", "local-one", "--json")
    assert again.exit_code == 0
    assert "over already" in again.stderr
    assert json.loads(again.stdout)["status"] == "ended"
    assert json.loads(again.stdout)["reason"]["message"] == "You stopped it."


def test_the_only_session_needs_no_name(run: Run, session_process: Start) -> None:
    session_process("local-one")
    assert json.loads(run("stop", "--json").stdout)["session_id"] == "local-one"
    result = run("stop")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No session is running.\n"
    assert json.loads(run("stop", "--json").stdout)["session_id"] is None


@pytest.mark.slow
def test_two_sessions_must_be_named_or_all_stopped(run: Run, session_process: Start) -> None:
    session_process("local-one")
    session_process("local-two")
    ambiguous = run("stop")
    assert ambiguous.exit_code == 1
    assert "local-one" in ambiguous.stderr
    stopped = json.loads(run("stop", "--all", "--json").stdout)
    assert {entry["session_id"] for entry in stopped} == {"local-one", "local-two"}
    assert run("ls").stdout == ""


def test_stopping_all_of_none_is_no_error(run: Run) -> None:
    result = run("stop", "--all")
    assert result.exit_code == 0
    assert run("stop", "--all", "--json").stdout == "[]\n"


def test_a_name_and_all_together_are_wrong_usage(run: Run) -> None:
    assert run("stop", "x", "--all").exit_code == 2


def test_an_unknown_session_is_told(run: Run, session_process: Start) -> None:
    session_process("local-one")
    result = run("stop", "../local-one")
    assert result.exit_code == 1
    assert "Your running sessions: local-one." in result.stderr
