"""Sessions are found on disk, and dead ones are recognised as such."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from curc_llm.errors import AmbiguousSessionError, SessionNotFoundError
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus
from curc_llm.session.store import (
    FoundSession,
    choose_session,
    discover_sessions,
    find_session,
    judge_status,
    process_started,
    read_record,
    tail_jsonl,
    write_record,
)


def make_record(session_id: str = "local-1", **changes) -> SessionRecord:
    pid = os.getpid()
    values = {
        "session_id": session_id,
        "owner": "me",
        "host": socket.gethostname(),
        "pid": pid,
        "pid_started": process_started(pid),
        "status": SessionStatus.READY,
        "started_at": time.time(),
        "heartbeat_at": time.time(),
    }
    return SessionRecord(**(values | changes))


def put(state_dir: Path, record: SessionRecord) -> None:
    folder = state_dir / "sessions" / record.session_id
    folder.mkdir(parents=True)
    write_record(folder / "session.json", record)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    engine = EngineRecord(served_model_name="m", model="/m", phase=EnginePhase.LOADING, progress=0.5)
    record = make_record(engines=(engine,))
    write_record(tmp_path / "session.json", record)
    assert read_record(tmp_path / "session.json") == record
    assert record.engine("m") == engine
    assert record.engine("other") is None


def test_a_record_of_a_newer_version_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.write_text(make_record().model_dump_json()[:-1] + ', "new_field": 1}')
    assert read_record(path) is not None


def test_a_broken_record_is_no_session(tmp_path: Path) -> None:
    folder = tmp_path / "sessions" / "broken"
    folder.mkdir(parents=True)
    (folder / "session.json").write_text('{"session_id": ')
    assert discover_sessions(tmp_path) == []


def test_running_sessions_are_listed_newest_first_and_ended_ones_only_when_asked_for(tmp_path: Path) -> None:
    put(tmp_path, make_record("old", started_at=1))
    put(tmp_path, make_record("new", started_at=2))
    put(tmp_path, make_record("over", started_at=3, status=SessionStatus.ENDED))
    assert [s.session_id for s in discover_sessions(tmp_path)] == ["new", "old"]
    assert [s.session_id for s in discover_sessions(tmp_path, over_too=True)] == ["over", "new", "old"]


def test_no_state_folder_means_no_session(tmp_path: Path) -> None:
    assert discover_sessions(tmp_path / "none") == []


def test_a_dead_job_on_this_host_is_gone_even_if_its_heartbeat_is_fresh() -> None:
    process = subprocess.Popen(["sleep", "60"])
    record = make_record(pid=process.pid, pid_started=process_started(process.pid))
    host = record.host
    assert judge_status(record, host=host, now=time.time()) is SessionStatus.READY
    process.kill()
    process.wait()
    assert judge_status(record, host=host, now=time.time()) is SessionStatus.GONE


def test_a_reused_pid_is_not_taken_for_the_job() -> None:
    record = make_record(pid_started=1)
    assert judge_status(record, host=record.host, now=time.time()) is SessionStatus.GONE


def test_on_another_host_a_stale_heartbeat_means_unknown_not_gone() -> None:
    record = make_record(host="node7", heartbeat_at=1000.0)
    verdicts = [judge_status(record, host="login1", now=now) for now in (1000, 1059, 1061, 900)]
    assert verdicts == [
        SessionStatus.READY,
        SessionStatus.READY,
        SessionStatus.UNKNOWN,
        SessionStatus.UNKNOWN,
    ]


def test_what_has_ended_stays_ended() -> None:
    record = make_record(status=SessionStatus.FAILED, pid=1, pid_started=0)
    assert judge_status(record, host=record.host, now=0) is SessionStatus.FAILED


def test_a_zombie_runs_nothing() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_started(process.pid) is None
    process.wait()


def test_the_only_session_needs_no_name(tmp_path: Path) -> None:
    put(tmp_path, make_record("local-abc"))
    assert find_session(tmp_path).session_id == "local-abc"


def test_a_session_is_found_by_id_by_its_beginning_and_by_slurm_job(tmp_path: Path) -> None:
    put(tmp_path, make_record("local-abc"))
    put(tmp_path, make_record("alpine-9", slurm_job_id="4711"))
    assert [find_session(tmp_path, name).session_id for name in ("local-abc", "local", "4711")] == [
        "local-abc",
        "local-abc",
        "alpine-9",
    ]


def test_the_error_for_a_wrong_name_lists_the_right_ones(tmp_path: Path) -> None:
    put(tmp_path, make_record("local-abc"))
    with pytest.raises(SessionNotFoundError, match="running sessions: local-abc"):
        find_session(tmp_path, "../etc")


def test_several_sessions_ask_for_a_name(tmp_path: Path) -> None:
    put(tmp_path, make_record("local-abc"))
    put(tmp_path, make_record("local-abd"))
    with pytest.raises(AmbiguousSessionError, match=r"local-ab[cd], local-ab[cd]"):
        find_session(tmp_path)
    with pytest.raises(AmbiguousSessionError, match="fits"):
        find_session(tmp_path, "local-ab")


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (("ready", "ready"), "Several sessions are running: slurm-0, slurm-1."),
        (("ready", "queued"), "Several sessions run or wait: slurm-0, slurm-1 (queued)."),
        (("queued", "queued"), "Several sessions wait: slurm-0 (queued), slurm-1 (queued)."),
    ],
)
def test_one_that_waits_is_not_said_to_run(tmp_path: Path, statuses: tuple[str, ...], told: str) -> None:
    sessions = [
        FoundSession(SessionPaths(tmp_path), make_record(f"slurm-{index}"), SessionStatus(status))
        for index, status in enumerate(statuses)
    ]
    with pytest.raises(AmbiguousSessionError) as refusal:
        choose_session(sessions, None)
    assert refusal.value.message == told


def test_no_session_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(SessionNotFoundError, match="curc-llm demo"):
        find_session(tmp_path)


def test_the_end_of_a_log_is_read_without_its_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "access.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n{"a"\n{"a": 3}\n')
    assert tail_jsonl(path, 3) == [{"a": 2}, {"a": 3}]
    assert tail_jsonl(tmp_path / "none", 3) == []
