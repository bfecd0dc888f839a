"""`curc-llm restart`, as the owner sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.session.record import EnginePhase
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession


@pytest.mark.parametrize("args", [(), ("local-fake01",), ("local-fake01", "curc-guide")])
def test_a_failed_model_is_started_again(run: Run, fake: FakeSession, args: tuple[str, ...]) -> None:
    fake.change_engine(phase=EnginePhase.FAILED, ready_at=None)
    result = run("restart", *args)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == ("curc-guide is being started again: curc-llm status local-fake01 --watch\n")
    asked = fake.requests[-1]
    assert (asked["path"], asked["headers"]["Authorization"]) == ("/restart", f"Bearer {fake.key}")
    assert asked["body"] == ({"model": "curc-guide"} if len(args) == 2 else {})


def test_as_json_it_names_the_models(run: Run, fake: FakeSession) -> None:
    fake.change_engine(phase=EnginePhase.FAILED, ready_at=None)
    told = json.loads(run("restart", "--json").stdout)
    assert told == {"session_id": "local-fake01", "status": "restarting", "models": ["curc-guide"]}


def test_where_nothing_has_failed_the_session_says_so(run: Run, fake: FakeSession) -> None:
    result = run("restart")
    assert result.exit_code == 1
    assert "Error: No model has failed for good." in result.stderr
    assert "curc-llm status local-fake01" in result.stderr


def test_a_session_that_is_over_or_silent_is_told(run: Run, fake: FakeSession, state_dir: Path) -> None:
    fake.hang_up()
    silent = run("restart", "local-fake01")
    assert silent.exit_code == 1
    assert "doesn't answer" in silent.stderr
    fake.end()
    over = run("restart", "local-fake01")
    assert over.exit_code == 1
    assert "You stopped it." in over.stderr
    assert "Traceback" not in over.stderr
