"""Sessions in Slurm: what is on disk and what Slurm says, together. Slurm being silent ends no session."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curc_llm.errors import SpecError
from curc_llm.launch.slurm_ending import explain_end
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus
from curc_llm.session.slurm_note import SlurmNote, read_slurm_note
from curc_llm.session.store import (
    HEARTBEAT_EXPIRY_S,
    FoundSession,
    choose_session,
    judge_status,
    process_started,
    read_record,
    session_folders,
)
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.job import Job
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.slurm.state import JobState
from curc_llm.spec import read_launch_spec

# Ends after which Slurm may start the very same session again: its record doesn't have the last word.
MAY_RETURN = {"requeued", "preempted", "node_fail"}


@dataclass(frozen=True)
class SlurmSession(FoundSession):
    """A session that is a Slurm job.

    Args:
        job: what Slurm said of it last; None when it didn't have to be asked.
    """

    job: Job | None = None

    @property
    def job_id(self) -> str:
        """Slurm's number."""
        return self.record.slurm_job_id or ""


@dataclass(frozen=True)
class _OnDisk:
    """What a session's folder says."""

    paths: SessionPaths
    note: SlurmNote | None
    record: SessionRecord | None


def discover_sessions(
    state_dir: Path, *, over_too: bool = False, poll: SlurmPoll | None = None, ask_all: bool = True
) -> list[FoundSession]:
    """All sessions below a state folder, newest first: those on this machine and those in Slurm.

    Slurm is asked once for all of them, and not at all when nothing depends on its answer.

    Args:
        state_dir: the user's state folder.
        over_too: also return sessions that have ended.
        poll: where Slurm's answers come from; a new one when not given.
        ask_all: also ask for sessions with a fresh heartbeat; without, these are believed.
    """
    on_disk = [_read_folder(folder) for folder in session_folders(state_dir)]
    found = _judge_all([d for d in on_disk if d.note or d.record], poll, ask_all=ask_all)
    kept = [session for session in found if over_too or not session.status.is_over]
    return sorted(kept, key=lambda session: session.record.started_at, reverse=True)


def find_session(
    state_dir: Path,
    name: str | None = None,
    *,
    over_too: bool = False,
    poll: SlurmPoll | None = None,
    ask_all: bool = False,
) -> FoundSession:
    """The one session that is meant, queued ones included; see `session.store.find_session`.

    Args:
        state_dir: the user's state folder.
        name: session id, its beginning, or Slurm job id; None for the only one.
        over_too: also take one that has ended, when none is named.
        poll: where Slurm's answers come from; a new one when not given.
        ask_all: ask Slurm even where a session's own word is fresh.

    Raises:
        SessionNotFoundError: none fits.
        AmbiguousSessionError: several do.
    """
    everything = over_too or name is not None
    sessions = discover_sessions(state_dir, over_too=everything, poll=poll, ask_all=ask_all)
    return choose_session(sessions, name, over_too=over_too)


def load_session(root: Path, poll: SlurmPoll | None = None, *, ask_all: bool = False) -> FoundSession | None:
    """Reads one session's folder, and asks Slurm if need be; None when there is no session in it.

    Args:
        root: the folder.
        poll: where Slurm's answers come from; a new one when not given.
        ask_all: ask Slurm even where the session's own word is fresh.
    """
    on_disk = _read_folder(root)
    if on_disk.note is None and on_disk.record is None:
        return None
    return _judge_all([on_disk], poll, ask_all=ask_all)[0]


def _read_folder(root: Path) -> _OnDisk:
    paths = SessionPaths(root)
    record, note = read_record(paths.record), read_slurm_note(paths.slurm)
    if note is None and record is not None and record.slurm_job_id:
        note = SlurmNote(job_id=record.slurm_job_id, submitted_at=record.started_at)
    return _OnDisk(paths, note, record)


def _judge_all(sessions: list[_OnDisk], poll: SlurmPoll | None, *, ask_all: bool) -> list[FoundSession]:
    ids = {d.note.job_id for d in sessions if d.note is not None and _needs_slurm(d, ask_all=ask_all)}
    jobs: Mapping[str, Job] = (poll or SlurmPoll(Slurm())).jobs(sorted(ids)) if ids else {}
    return [_judge(d, jobs) for d in sessions]


def _needs_slurm(on_disk: _OnDisk, *, ask_all: bool) -> bool:
    """Whether Slurm's answer could change what the record says."""
    record = on_disk.record
    if record is None:
        return True
    if record.status.is_over:
        return record.reason is not None and record.reason.code in MAY_RETURN
    if record.host == socket.gethostname() and process_started(record.pid) == record.pid_started:
        return False
    return ask_all or abs(time.time() - record.heartbeat_at) > HEARTBEAT_EXPIRY_S


def _judge(on_disk: _OnDisk, jobs: Mapping[str, Job]) -> FoundSession:
    paths, note = on_disk.paths, on_disk.note
    job = jobs.get(note.job_id) if note is not None else None
    # A job that ended while Slurm was asked has written its last word meanwhile.
    record = (read_record(paths.record) if job is not None and job.state.is_over else None) or on_disk.record
    if note is None or (job is None and record is not None):
        assert record is not None  # noqa: S101 - one of the two is there
        return _as_record_says(paths, record, is_in_slurm=note is not None)
    judged = _judge_with(paths, note, record, job or Job(note.job_id, JobState.UNKNOWN))
    return SlurmSession(paths, judged, judged.status, job)


def _as_record_says(paths: SessionPaths, record: SessionRecord, *, is_in_slurm: bool) -> FoundSession:
    status = judge_status(record, host=socket.gethostname(), now=time.time())
    record = record.model_copy(update={"status": status})
    return SlurmSession(paths, record, status) if is_in_slurm else FoundSession(paths, record, status)


def _judge_with(
    paths: SessionPaths, note: SlurmNote, record: SessionRecord | None, job: Job
) -> SessionRecord:
    """The record to believe, given what Slurm says of the job."""
    if record is None or job.state.is_waiting:  # what a record says of a waiting job is of an earlier run
        return make_queued_record(paths, note, job)
    if job.state is JobState.UNKNOWN:
        return _as_record_says(paths, record, is_in_slurm=True).record
    if record.status.is_over:
        is_requeued = record.reason is not None and record.reason.code == "requeued"
        runs_again = job.state is JobState.RUNNING or (is_requeued and not job.state.is_over)
        return make_queued_record(paths, note, job) if runs_again else record
    return _complete(paths, record, job) if job.state.is_over else record


def _complete(paths: SessionPaths, record: SessionRecord, job: Job) -> SessionRecord:
    """The record of a session that Slurm ended before it could say so."""
    paths.remove_secrets()  # the job could not do it itself any more
    status, reason = explain_end(job, record.session_id, has_record=True)
    ended_at = job.end_at or record.heartbeat_at
    over = {"status": status, "reason": reason, "ended_at": ended_at, "idle_stop_at": None}
    return record.model_copy(update=over)


def make_queued_record(paths: SessionPaths, note: SlurmNote, job: Job) -> SessionRecord:
    """The record of a session whose job has not written one (yet), from its spec and from what Slurm says.

    Args:
        paths: the session's files.
        note: which job it is.
        job: what Slurm says of it.
    """
    status, reason = _status_of(job), None
    if job.state.is_over:
        status, reason = explain_end(job, paths.root.name, has_record=False)
    told: dict[str, Any] = {"owner": ""}
    with contextlib.suppress(SpecError):
        spec = read_launch_spec(paths.spec)
        engines = tuple(_queued_engine(e.served_model_name, e.model, job) for e in spec.engines)
        told = {
            "owner": spec.owner,
            "parent": spec.parent,
            "predecessor": spec.predecessor,
            "engines": engines,
        }
    return SessionRecord(
        session_id=paths.root.name,
        host=job.nodes,
        pid=0,
        pid_started=0,
        slurm_job_id=note.job_id,
        status=status,
        started_at=note.submitted_at,
        heartbeat_at=note.submitted_at,
        ends_at=job.end_at if job.state.is_running else None,
        ended_at=(job.end_at or time.time()) if job.state.is_over else None,
        reason=reason,
        **told,
    )


def _status_of(job: Job) -> SessionStatus:
    if job.state.is_waiting:
        return SessionStatus.QUEUED
    return SessionStatus.STARTING if job.state.is_running else SessionStatus.UNKNOWN


def _queued_engine(name: str, model: str, job: Job) -> EngineRecord:
    phase = EnginePhase.STOPPED if job.state.is_over else EnginePhase.QUEUED
    return EngineRecord(served_model_name=name, model=model, phase=phase, detail=job.why_waiting)
