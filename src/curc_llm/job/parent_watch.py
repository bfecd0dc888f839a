"""A replica ends when the session that it serves for does, however that one came to its end."""

from __future__ import annotations

import asyncio
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


async def watch_parent(spec: LaunchSpec, request_end: Callable[[Ending], None]) -> None:
    """Asks for the end as soon as the parent is over. Its record tells, and Slurm where that one is silent.

    Args:
        spec: of the replica.
        request_end: called once, with the reason.
    """
    folder, poll = find_session_dir(spec, spec.parent), SlurmPoll(Slurm(), min_gap_s=ASK_GAP_S)
    first: SessionRecord | None = None
    while True:
        found = await asyncio.to_thread(load_session, folder, poll)
        record = found.record if found is not None else None
        first = first or record
        if record is None or is_over(record, first):
            request_end(make_parent_ending(spec.parent))
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


def make_parent_ending(parent: str) -> Ending:
    """The session that this one is a replica of has ended."""
    message = f"The session {parent}, which this is a replica of, has ended."
    return Ending(SessionStatus.ENDED, Trouble(code="parent_ended", message=message), 0)
