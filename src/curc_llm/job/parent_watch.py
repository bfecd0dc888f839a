"""A replica ends when the session that it serves for does, however that one came to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from curc_llm.job.ending import Ending
from curc_llm.job.other_session import find_session_dir
from curc_llm.launch.queued import load_session
from curc_llm.session.record import SessionRecord, SessionStatus, Trouble
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.spec import LaunchSpec

LOOK_EVERY_S = 3.0
# Its own Slurm client is asked only when the parent's heartbeat is old, so seldom that it costs nothing.
ASK_GAP_S = 15.0
# A file system may stumble for a moment, and a record be a moment behind.
PATIENCE_S = 60.0
# A record that is older says nothing of what its session doesn't know.
FRESH_S = 30.0


class Doubt:
    """Tells when something has held for a while without a break.

    Example:
        >>> doubt = Doubt(60)
        >>> [doubt.holds(True, now_s) for now_s in (0, 59, 60)]
        [False, False, True]
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._since_s: float | None = None

    def holds(self, is_so: bool, now_s: float) -> bool:
        """Whether it is so now, and has been for long enough."""
        self._since_s = (now_s if self._since_s is None else self._since_s) if is_so else None
        return self._since_s is not None and now_s - self._since_s >= self._patience_s


async def watch_parent(spec: LaunchSpec, request_end: Callable[[Ending], None]) -> None:
    """Asks for the end as soon as the parent is over. Its record tells, and Slurm where that one is silent.

    A replica that its parent doesn't know of ends too: Slurm took the job, but never said so.

    Args:
        spec: of the replica.
        request_end: called once, with the reason.
    """
    folder, poll = find_session_dir(spec, spec.parent), SlurmPoll(Slurm(), min_gap_s=ASK_GAP_S)
    first: SessionRecord | None = None
    gone, stranger = Doubt(), Doubt()
    while True:
        found = await asyncio.to_thread(load_session, folder, poll)
        record, now_s = found.record if found is not None else None, time.monotonic()
        if gone.holds(record is None, now_s) or (record is not None and is_over(record, first)):
            request_end(make_parent_ending(spec.parent))
            return
        if record is not None and record.pid:
            first = first or record
        if stranger.holds(record is not None and is_stranger(record, spec.session_id), now_s):
            request_end(make_stranger_ending(spec.parent))
            return
        await asyncio.sleep(LOOK_EVERY_S)


def is_over(now: SessionRecord, first: SessionRecord | None) -> bool:
    """Whether the parent's run that this replica was started by is over; a requeued job begins another one.

    Args:
        now: the record as it is now, judged.
        first: as it was at first.
    """
    if now.status.is_over or now.status is SessionStatus.QUEUED:
        return True
    return first is not None and bool(now.pid) and (now.pid, now.host) != (first.pid, first.host)


def is_stranger(parent: SessionRecord, session_id: str) -> bool:
    """Whether the parent runs and doesn't have this one among its replicas."""
    known = parent.scale.replicas if parent.scale is not None else ()
    return is_fresh(parent) and all(replica.session_id != session_id for replica in known)


def is_fresh(record: SessionRecord) -> bool:
    """Whether the session has written this a moment ago."""
    return abs(time.time() - record.heartbeat_at) < FRESH_S


def make_parent_ending(parent: str) -> Ending:
    """The session that this one is a replica of has ended."""
    message = f"The session {parent}, which this is a replica of, has ended."
    return Ending(SessionStatus.ENDED, Trouble(code="parent_ended", message=message), 0)


def make_stranger_ending(other: str) -> Ending:
    """The session that this one was started for doesn't know of it, or wants it no more."""
    message = f"The session {other}, which this was started for, doesn't count on it."
    return Ending(SessionStatus.ENDED, Trouble(code="not_wanted", message=message), 0)
