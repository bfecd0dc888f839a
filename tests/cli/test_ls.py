from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import pytest

from curc_llm.session.preflight import PreflightReport
from curc_llm.session.record import AdapterRecord, SessionStatus, Trouble
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession


def test_no_session_is_talk_and_not_data(run: Run) -> None:
    result = run("ls")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "curc-llm demo" in result.stderr
    assert run("ls", "--json").stdout == "[]\n"


def test_sessions_are_listed_with_status_model_and_endpoint(run: Run, fake: FakeSession) -> None:
    heads, row = run("ls").stdout.splitlines()
    assert heads.split() == ["SESSION", "STATUS", "MODEL", "HOST", "AGE", "ENDPOINT"]
    assert row.split()[:3] == ["local-fake01", "ready", "curc-guide"]
    assert row.endswith(fake.url)
    listed = json.loads(run("ls", "--json").stdout)
    assert [entry["session_id"] for entry in listed] == ["local-fake01"]


def test_ended_sessions_are_listed_when_asked_for(run: Run, fake: FakeSession) -> None:
    fake.end()
    assert run("ls").stdout == ""
    assert "ended" in run("ls", "--all").stdout


def test_hostile_model_names_stay_on_their_line_and_move_no_cursor(run: Run, state_dir: Path) -> None:
    with FakeSession(state_dir, models=('a"\n\x1b[2Jb',)):
        assert len(run("ls").stdout.splitlines()) == 2
        shown = run("ls").stdout + run("status").stdout
    assert "\x1b" not in shown


def test_a_broken_record_is_not_a_session(run: Run, fake: FakeSession, state_dir: Path) -> None:
    for name, text in (("local-half", '{"session_id": "x'), ("local-empty", "")):
        folder = state_dir / "sessions" / name
        folder.mkdir()
        (folder / "session.json").write_text(text)
    assert [row.split()[0] for row in run("ls", "--all").stdout.splitlines()[1:]] == ["local-fake01"]


def test_status_tells_phase_warnings_and_ends(run: Run, fake: FakeSession) -> None:
    fake.load()
    fake.change(
        warnings=("15 minutes are left.",), ends_at=time.time() + 900.4, idle_stop_at=time.time() + 60
    )
    trouble = Trouble(code="out_of_memory", message="The GPU is full.", remedy="Ask for less context.")
    fake.change_engine(trouble=trouble, detail="1.2 of 3.0 GiB")
    text = run("status").stdout
    for words in (
        "curc-guide: loading 40 % (1.2 of 3.0 GiB), 12 s of about 45 s",
        "The GPU is full. Ask for less context.",
        "15 minutes are left.",
        "in 15 min 0 s",
        fake.url,
    ):
        assert words in text
    assert json.loads(run("status", "--json").stdout)["engines"][0]["phase"] == "loading"


def test_replicas_adapters_and_nodes_are_told_apart(run: Run, state_dir: Path) -> None:
    adapters = (AdapterRecord(name="sql", source="/p/sql"), AdapterRecord(name="style", source="me/style"))
    with FakeSession(state_dir, models=("chat", "chat", "embed")) as fake:
        engines = [engine.model_copy(update={"adapters": adapters}) for engine in fake.record.engines[:2]]
        report = PreflightReport(seconds=1.0, nodes=("c1", "c2"))
        fake.change(engines=(*engines, fake.record.engines[2]), preflight=report, host="c1")
        assert "2 x chat, embed" in run("ls").stdout
        text = run("status").stdout
    shown = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    assert [row[1] for row in shown if row[0] == "Model"] == ["chat: ready", "chat@2: ready", "embed: ready"]
    assert ["Adapters", "sql, style"] in shown
    assert next(row[1] for row in shown if row[0] == "Host").endswith("; with c2")


def test_status_of_an_ended_session_tells_its_reason(run: Run, fake: FakeSession) -> None:
    fake.end("idle", "Nobody used it for 30 minutes.", "Start another.")
    result = run("status", "local-fake01")
    assert result.exit_code == 0
    assert "Nobody used it for 30 minutes. Start another." in result.stdout


@pytest.mark.parametrize("status", ["ended", "failed"])
def test_the_status_of_a_session_that_is_over_stands_still(run: Run, fake: FakeSession, status: str) -> None:
    """It ended while it loaded, an hour ago: no clock runs on, and its endpoint is nobody's any more."""
    began = time.time() - 3700
    fake.load()
    fake.change_engine(started_at=began)
    fake.change(status=SessionStatus(status), started_at=began, ended_at=began + 100)
    text = run("status", "local-fake01").stdout
    assert "1 min 40 s of about" in text
    assert re.search(r"(?m)^ *Ran +1 min 40 s$", text)
    assert fake.url not in text
    assert "Endpoint" not in text


@pytest.mark.slow
def test_watching_shows_changes_until_the_end(run: Run, fake: FakeSession) -> None:
    fake.load()
    timer = threading.Timer(0.3, fake.end, ("stopped", "You stopped it."))
    timer.start()
    lines = [json.loads(line) for line in run("status", "--watch", "--json").stdout.splitlines()]
    timer.join()
    assert [line["status"] for line in lines] == ["starting", "ended"]


@pytest.mark.slow
def test_watching_a_session_whose_folder_goes_is_an_error(run: Run, fake: FakeSession) -> None:
    timer = threading.Timer(0.3, fake.paths.record.unlink)
    timer.start()
    result = run("status", "--watch")
    timer.join()
    assert result.exit_code == 1
    assert "no record any more" in result.stderr
