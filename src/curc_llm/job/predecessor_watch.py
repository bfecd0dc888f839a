"""A successor that nobody counts on ends: else it would run, and cost, for hours without anybody knowing.

Slurm may take a job and not say so, or not cancel one when it is asked; and the session that submitted it may
have been stopped meanwhile, or started again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import Enum

from curc_llm.job.ending import Ending
from curc_llm.job.other_session import find_session_dir
from curc_llm.job.parent_watch import ASK_GAP_S, LOOK_EVERY_S, Doubt, is_fresh, make_stranger_ending
from curc_llm.launch.queued import load_session
from curc_llm.session.record import SessionRecord
from curc_llm.session.succession import name_heir
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.spec import LaunchSpec


class Standing(Enum):
    """What a successor is to its predecessor."""

    AWAITED = "awaited"  # it is to take over
    HEIR = "heir"  # it has taken over
    ALONE = "alone"  # the other one is over, and this one goes on
    STRANGER = "stranger"  # the other one runs, and counts on another one or on none
    UNWANTED = "unwanted"  # the other one is over, and nothing was to go on, or another one does


def judge_standing(predecessor: SessionRecord, session_id: str) -> Standing:
    """What a successor is to its predecessor.

    Args:
        predecessor: its record, judged.
        session_id: the successor's.
    """
    told = predecessor.hand_over
    has_taken_over = predecessor.successor == session_id
    is_known = has_taken_over or (told is not None and told.session_id == session_id)
    if not predecessor.status.is_over:
        awaited = Standing.AWAITED if is_known else Standing.STRANGER
        return Standing.HEIR if has_taken_over else awaited
    return Standing.ALONE if name_heir(predecessor) == session_id else Standing.UNWANTED


async def watch_predecessor(
    spec: LaunchSpec,
    keep_going: Callable[[], None],
    request_end: Callable[[Ending], None],
    on_taken_over: Callable[[SessionRecord], None],
) -> None:
    """Asks for the end when nobody counts on this session; returns when it goes on alone.

    Args:
        spec: of the successor.
        keep_going: called while it waits for its turn, which isn't idling.
        request_end: called once, with the reason.
        on_taken_over: called with the other one's record once this one answers for it, and at each look until
            that one is over.
    """
    folder, poll = find_session_dir(spec, spec.predecessor), SlurmPoll(Slurm(), min_gap_s=ASK_GAP_S)
    stranger = Doubt()
    while True:
        found = await asyncio.to_thread(load_session, folder, poll)
        if found is not None:
            standing = judge_standing(found.record, spec.session_id)
            if standing in {Standing.HEIR, Standing.ALONE}:
                on_taken_over(found.record)
            if standing is Standing.ALONE:
                return
            is_stranger = standing is Standing.STRANGER and is_fresh(found.record)
            if stranger.holds(is_stranger, time.monotonic()) or standing is Standing.UNWANTED:
                request_end(make_stranger_ending(spec.predecessor))
                return
            if standing is Standing.AWAITED:
                keep_going()
        await asyncio.sleep(LOOK_EVERY_S)
