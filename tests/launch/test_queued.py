"""Sessions on disk and what Slurm says of them, together. Slurm being silent ends none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from curc_llm.errors import SessionNotFoundError
from curc_llm.launch.queued import SlurmSession, discover_sessions, find_session, load_session
from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.plan.facts import Facts
from curc_llm.plan.request import PlanRequest
from curc_llm.session.files import write_private
from curc_llm.session.keys import make_owner_key
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord, SessionStatus, Trouble
from curc_llm.session.slurm_note import SlurmNote, write_slurm_note
from curc_llm.session.store import write_record
from curc_llm.settings import Settings
from curc_llm.spec import read_launch_spec
from tests.fakes.fake_session import FakeSession
from tests.fakes.fake_slurm import FakeSlurm


@pytest.fixture
def submitted(settings: Settings, alpine: Facts) -> SessionPaths:
    """A session that was submitted as job 77 and has no record."""
    spec = make_slurm_spec(SessionRequest(plan=PlanRequest(model="demo", hours=1)), settings, facts=alpine)
    paths = SessionPaths(spec.session_dir)
    paths.make()
    write_private(paths.spec, spec.model_dump_json())
    write_slurm_note(paths.slurm, SlurmNote(job_id="77", submitted_at=1795264000.0))
    return paths


def run_elsewhere(paths: SessionPaths, *, heartbeat_age_s: float = 0, **changes: object) -> None:
    """Gives the session a record, as its job on another host writes it."""
    now = time.time()
    record = SessionRecord(
        session_id=paths.root.name, owner="me", host="c1", pid=5, pid_started=6, slurm_job_id="77",
        status=SessionStatus.READY, port=4000, started_at=now - 600, heartbeat_at=now - heartbeat_age_s,
    )  # fmt: skip
    write_record(paths.record, record.model_copy(update=changes))
    make_owner_key(paths.keys, paths.api_key)


def look(paths: SessionPaths) -> SlurmSession:
    found = load_session(paths.root)
    assert isinstance(found, SlurmSession)
    return found


def test_a_waiting_session_says_why(slurm: FakeSlurm, submitted: SessionPaths) -> None:
    slurm.queue("77", "PENDING", "Resources")
    found = look(submitted)
    assert (found.status, found.job_id) == ("queued", "77")
    assert "free" in found.record.engines[0].detail
    assert found.record.engines[0].served_model_name == "curc-guide"


def test_a_replica_that_waits_is_known_for_one(slurm: FakeSlurm, submitted: SessionPaths) -> None:
    spec = read_launch_spec(submitted.spec)
    more = {"parent": "slurm-a", "predecessor": "slurm-b"}
    write_private(submitted.spec, spec.model_copy(update=more).model_dump_json())
    slurm.queue("77", "PENDING", "Resources")
    record = look(submitted).record
    assert (record.parent, record.predecessor, record.owner) == ("slurm-a", "slurm-b", spec.owner)


def test_a_job_that_has_begun_but_written_nothing_is_starting(
    slurm: FakeSlurm, submitted: SessionPaths
) -> None:
    slurm.queue("77", "RUNNING", nodes="c1")
    assert (look(submitted).status, look(submitted).record.host) == ("starting", "c1")


def test_slurm_silent_is_unknown_and_never_gone(slurm: FakeSlurm, submitted: SessionPaths) -> None:
    slurm.is_silent()
    assert look(submitted).status == "unknown"
    run_elsewhere(submitted, heartbeat_age_s=900)
    assert look(submitted).status == "unknown"
    assert submitted.api_key.exists()


def test_a_fresh_heartbeat_is_believed_without_asking(slurm: FakeSlurm, submitted: SessionPaths) -> None:
    run_elsewhere(submitted)
    assert look(submitted).status == "ready"
    assert slurm.calls == []


def test_an_old_heartbeat_is_believed_when_slurm_says_that_the_job_runs(
    slurm: FakeSlurm, submitted: SessionPaths
) -> None:
    run_elsewhere(submitted, heartbeat_age_s=900)
    slurm.queue("77", "RUNNING", nodes="c1")
    assert look(submitted).status == "ready"


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ("TIMEOUT", "ended", "wall_time"),
        ("OUT_OF_MEMORY", "failed", "host_memory"),
        ("NODE_FAIL", "failed", "node_fail"),
        ("CANCELLED by 1000", "ended", "cancelled"),
        ("FAILED", "failed", "job_failed"),
    ],
)
def test_a_job_that_slurm_ended_is_told_in_words_and_its_secrets_go(
    slurm: FakeSlurm, submitted: SessionPaths, state: str, status: str, code: str
) -> None:
    run_elsewhere(submitted, heartbeat_age_s=900)
    slurm.past("77", state)
    found = look(submitted)
    assert found.record.reason is not None
    assert (found.status, found.record.reason.code) == (status, code)
    assert found.record.ended_at == 1795264751.0
    assert not submitted.api_key.exists()


def test_a_job_cancelled_in_the_queue_has_ended(slurm: FakeSlurm, submitted: SessionPaths) -> None:
    slurm.past("77", "CANCELLED by 1000")
    found = look(submitted)
    assert found.status == "ended"
    assert found.record.reason is not None
    assert found.record.reason.message == "The job was cancelled."


def test_what_slurm_knows_no_longer_is_gone(slurm: FakeSlurm, submitted: SessionPaths) -> None:
    slurm.says("squeue")
    slurm.says("sacct")
    assert look(submitted).status == "gone"


def test_the_sessions_own_last_word_counts(slurm: FakeSlurm, submitted: SessionPaths) -> None:
    run_elsewhere(
        submitted, status=SessionStatus.ENDED, reason=Trouble(code="idle", message="Nobody used it.")
    )
    slurm.past("77", "CANCELLED")
    assert look(submitted).record.reason == Trouble(code="idle", message="Nobody used it.")
    assert slurm.calls == []


@pytest.mark.parametrize(("state", "status"), [("PENDING", "queued"), ("RUNNING", "starting")])
def test_a_requeued_session_is_alive_again(
    slurm: FakeSlurm, submitted: SessionPaths, state: str, status: str
) -> None:
    run_elsewhere(
        submitted, status=SessionStatus.FAILED, reason=Trouble(code="preempted", message="Preempted.")
    )
    slurm.queue("77", state, "BeginTime")
    assert look(submitted).status == status
    assert look(submitted).record.port is None
    slurm.past("77", "PREEMPTED")
    assert look(submitted).record.reason == Trouble(code="preempted", message="Preempted.")


def test_slurm_is_asked_once_for_all(slurm: FakeSlurm, submitted: SessionPaths, settings: Settings) -> None:
    for number in range(3):
        paths = SessionPaths(settings.state_dir / "sessions" / f"slurm-more{number}")
        paths.make()
        write_slurm_note(paths.slurm, SlurmNote(job_id=str(100 + number), submitted_at=1.0))
    slurm.queue("77", "PENDING", "Priority")
    found = discover_sessions(settings.state_dir, over_too=True)
    assert len(found) == 4
    assert len(slurm.called("squeue")) == 1
    assert len(slurm.called("sacct")) == 1


def test_sessions_of_this_machine_need_no_slurm(slurm: FakeSlurm, settings: Settings) -> None:
    with FakeSession(settings.state_dir):
        assert [s.status for s in discover_sessions(settings.state_dir)] == ["ready"]
        assert slurm.calls == []


def test_a_session_is_found_by_its_job_id(
    slurm: FakeSlurm, submitted: SessionPaths, settings: Settings
) -> None:
    slurm.queue("77", "PENDING", "Priority")
    assert find_session(settings.state_dir, "77").session_id == submitted.root.name
    with pytest.raises(SessionNotFoundError):
        find_session(settings.state_dir, "78")


def test_a_broken_spec_does_not_hide_the_session(slurm: FakeSlurm, submitted: SessionPaths) -> None:
    submitted.spec.write_text("{")
    slurm.queue("77", "PENDING", "Priority")
    assert (look(submitted).status, look(submitted).record.engines) == ("queued", ())


def test_a_folder_without_note_and_record_is_no_session(tmp_path: Path) -> None:
    assert load_session(tmp_path) is None
    (tmp_path / "slurm.json").write_text('{"job_id": "x; rm", "submitted_at": 1}')
    assert load_session(tmp_path) is None


def test_the_client_says_that_a_session_is_only_queued(
    slurm: FakeSlurm, submitted: SessionPaths, settings: Settings
) -> None:
    from curc_llm.client import connect
    from curc_llm.errors import SessionNotReadyError

    slurm.queue("77", "PENDING", "Priority")
    session = connect("77", state_dir=settings.state_dir)
    assert session.status().status == "queued"
    with pytest.raises(SessionNotReadyError, match="it is queued"):
        session.chat("Hello")
