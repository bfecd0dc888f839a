"""Finding sessions: reads every record below the state folder and says which still live."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from curc_llm.errors import AmbiguousSessionError, SessionNotFoundError
from curc_llm.session.files import write_json
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord, SessionStatus

# A record whose heartbeat is older than this is no longer believed without asking.
HEARTBEAT_EXPIRY_S = 60.0


def process_started(pid: int) -> int | None:
    """Start of a process in clock ticks since boot (proc(5), field 22), or None when there is none.

    A zombie counts as gone: it runs nothing any more.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def read_record(path: Path) -> SessionRecord | None:
    """Reads a record; None when it is missing or isn't one."""
    try:
        return SessionRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write_record(path: Path, record: SessionRecord) -> None:
    """Replaces the record at once."""
    write_json(path, record.to_json())


def judge_status(record: SessionRecord, *, host: str, now: float) -> SessionStatus:
    """The status to believe, given what can be seen from `host` at Unix time `now`.

    On the job's own host the process itself is asked. Elsewhere a fresh heartbeat is believed, and a stale
    one means UNKNOWN: only Slurm could tell (the `slurm` layer does, for sessions with a job id).
    """
    if record.status.is_over:
        return record.status
    if record.host == host:
        alive = process_started(record.pid) == record.pid_started
        return record.status if alive else SessionStatus.GONE
    stale = abs(now - record.heartbeat_at) > HEARTBEAT_EXPIRY_S
    return SessionStatus.UNKNOWN if stale else record.status


@dataclass(frozen=True)
class FoundSession:
    """A session found on disk: its files, its record, and the status to believe."""

    paths: SessionPaths
    record: SessionRecord
    status: SessionStatus

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self.record.session_id


def discover_sessions(state_dir: Path, *, over_too: bool = False) -> list[FoundSession]:
    """All sessions below a state folder, newest first; ended ones only when asked for.

    Args:
        state_dir: the user's state folder.
        over_too: also return sessions that have ended.
    """
    found = [load_session(folder) for folder in session_folders(state_dir)]
    sessions = [s for s in found if s is not None and (over_too or not s.status.is_over)]
    return sorted(sessions, key=lambda s: s.record.started_at, reverse=True)


def session_folders(state_dir: Path) -> Iterable[Path]:
    """The folders of all sessions below a state folder."""
    try:
        return [Path(entry.path) for entry in os.scandir(state_dir / "sessions") if entry.is_dir()]
    except OSError:
        return []


def load_session(root: Path) -> FoundSession | None:
    """Reads one session's folder; None when it holds no record."""
    paths = SessionPaths(root)
    record = read_record(paths.record)
    if record is None:
        return None
    status = judge_status(record, host=socket.gethostname(), now=time.time())
    return FoundSession(paths, record.model_copy(update={"status": status}), status)


def find_session(state_dir: Path, name: str | None = None, *, over_too: bool = False) -> FoundSession:
    """The one session meant by a name (session id, its beginning, or Slurm job id), or the only running one.

    Raises:
        SessionNotFoundError: none fits.
        AmbiguousSessionError: several do.
    """
    sessions = discover_sessions(state_dir, over_too=over_too or name is not None)
    return choose_session(sessions, name, over_too=over_too)


def choose_session(sessions: list[FoundSession], name: str | None, *, over_too: bool = False) -> FoundSession:
    """The one of several sessions that is meant; see `find_session`."""
    if name is None:
        return _only(list_meant(sessions), over_too)
    exact = [s for s in sessions if name in {s.session_id, s.record.slurm_job_id}]
    matches = exact or [s for s in sessions if s.session_id.startswith(name)]
    if not matches:
        known = ", ".join(s.session_id for s in sessions if not s.status.is_over) or "none is running"
        raise SessionNotFoundError(f"There is no session {name!r}.", f"Your running sessions: {known}.")
    if len(matches) > 1:
        raise AmbiguousSessionError(f"{name!r} fits {_names(matches)}.", "Give more of the id.")
    return matches[0]


def list_meant(sessions: list[FoundSession]) -> list[FoundSession]:
    """Those that somebody can mean who names none: neither replicas, nor one side of a hand-over.

    Before the hand-over the old session is meant, then its successor.
    """
    running = {s.session_id: s.record for s in sessions if not s.status.is_over}

    def is_meant(record: SessionRecord) -> bool:
        before = running.get(record.predecessor)
        is_early = before is not None and before.successor != record.session_id
        return not record.parent and record.successor not in running and not is_early

    return [s for s in sessions if is_meant(s.record)]


def _only(sessions: list[FoundSession], over_too: bool) -> FoundSession:
    if not sessions:
        raise SessionNotFoundError(
            "No session is running.", "Start one with: curc-llm demo, or curc-llm serve MODEL"
        )
    if len(sessions) > 1 and not over_too:
        raise AmbiguousSessionError(
            f"Several sessions {_verb(sessions)}: {_names(sessions)}.", "Name the one you mean."
        )
    return sessions[0]


def _verb(sessions: list[FoundSession]) -> str:
    waiting = [s for s in sessions if s.status is SessionStatus.QUEUED]
    return "run or wait" if waiting and len(waiting) < len(sessions) else "wait" if waiting else "are running"


def _names(sessions: list[FoundSession]) -> str:
    return ", ".join(s.session_id + " (queued)" * (s.status is SessionStatus.QUEUED) for s in sessions)


def tail_jsonl(path: Path, count: int) -> list[dict[str, object]]:
    """The last `count` objects of a JSONL file; lines that aren't JSON are left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows
