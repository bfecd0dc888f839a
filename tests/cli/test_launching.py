from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest

from curc_llm.cli.launching import end_session, recall, remember, stay_attached
from curc_llm.cli.output import Output
from curc_llm.errors import EngineError, LaunchError
from curc_llm.session.paths import SessionPaths
from tests.fakes.fake_session import FakeSession


def _end_soon(fake: FakeSession, code: str) -> threading.Timer:
    timer = threading.Timer(0.2, fake.end, (code, "It is over.", "Do this."))
    timer.start()
    return timer


@pytest.mark.slow
def test_staying_passes_warnings_on_once_and_ends_with_the_session(
    fake: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.change(warnings=("15 minutes are left.",))
    timer = _end_soon(fake, "wall_time")
    stay_attached(fake.paths, Output(as_json=False))
    timer.join()
    assert capsys.readouterr().err.splitlines() == [
        "Warning: 15 minutes are left.",
        "The session has ended: It is over. Do this.",
    ]


@pytest.mark.slow
def test_an_end_that_nobody_wanted_is_an_error(fake: FakeSession) -> None:
    timer = _end_soon(fake, "engine_gave_up")
    with pytest.raises(EngineError, match=r"It is over\. Do this\."):
        stay_attached(fake.paths, Output(as_json=False))
    timer.join()


def test_a_job_that_vanishes_is_an_error_that_names_its_log(fake: FakeSession) -> None:
    fake.change(pid_started=1)
    with pytest.raises(LaunchError, match=r"job\.log"):
        stay_attached(fake.paths, Output(as_json=False))


def test_a_job_without_a_record_is_ended_too(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        end_session(SessionPaths(tmp_path), process.pid)
        assert process.wait(5) == -15
    end_session(SessionPaths(tmp_path), process.pid)


def test_notes_for_later_runs_survive_and_never_trouble_anyone(tmp_path: Path) -> None:
    remember(tmp_path / "a" / "note.json", {"x": True})
    assert recall(tmp_path / "a" / "note.json") == {"x": True}
    assert recall(tmp_path / "none") == {}
    (tmp_path / "bad").write_text("[1")
    assert recall(tmp_path / "bad") == {}
    (tmp_path / "list").write_text(json.dumps([1]))
    assert recall(tmp_path / "list") == {}
    remember(tmp_path / "bad" / "note.json", {})
