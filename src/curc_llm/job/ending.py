"""Why a session ends, in a person's words."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

from curc_llm.session.record import SessionStatus, Trouble

# Slurm sends TERM when the time limit is reached: a TERM this close to the end means that, not a request.
NEAR_END_S = 60.0


@dataclass(frozen=True)
class Ending:
    """How a session ends.

    Args:
        status: ENDED when it was to be expected, FAILED when something broke.
        reason: what people are told.
        drain_s: seconds that running requests get to finish.
        is_urgent: Slurm kills what is left in a few seconds: no last words, and secrets go first.
    """

    status: SessionStatus
    reason: Trouble
    drain_s: float
    is_urgent: bool = False


def make_idle_ending(idle_min: float) -> Ending:
    """The session was not used for `idle_min` minutes."""
    message = f"The session was stopped because nobody used it for {idle_min:g} minutes."
    remedy = "Start it again when you need it; idle_stop_min sets how long it waits."
    return Ending(SessionStatus.ENDED, Trouble(code="idle", message=message, remedy=remedy), 0)


def make_wall_time_ending(drain_s: float) -> Ending:
    """The wall time is over."""
    trouble = Trouble(
        code="wall_time",
        message="The session reached the end of its time.",
        remedy="Start it again; ask for more hours if you need them.",
    )
    return Ending(SessionStatus.ENDED, trouble, drain_s)


def make_stop_ending(
    number: signal.Signals,
    left_s: float | None,
    stop_drain_s: float,
    drain_s: float,
    *,
    is_replica: bool = False,
) -> Ending:
    """A signal asked for the end: by a person, or by Slurm because the time is over.

    Args:
        number: the signal; USR1 is Slurm's warning before the end (`--signal=B:USR1@120`).
        left_s: seconds of wall time left, None for no end.
        stop_drain_s: seconds for running requests when a person stops it.
        drain_s: the same at the end of its time.
        is_replica: its session may have ended it, or anybody else: its owner never starts or stops it.
    """
    if number is signal.SIGUSR1 or (left_s is not None and left_s < NEAR_END_S):
        return make_wall_time_ending(drain_s)
    message = "The session was stopped by its owner."
    if is_replica:
        message = f"The replica was ended from outside ({number.name}): its job was cancelled or killed."
    reason = Trouble(code="stopped", message=message)
    return Ending(SessionStatus.ENDED, reason, stop_drain_s)


def make_slurm_ending(cause: str, session_id: str, *, requeue: bool, drain_s: float) -> Ending | None:
    """The ending for what Slurm said it does to the job; None when it said nothing of its own.

    Args:
        cause: from `slurm_words.parse_cause`.
        session_id: for the remedy.
        requeue: whether Slurm starts the session again by itself.
        drain_s: seconds that running requests get; Slurm kills soon after its signal.
    """
    if cause == "TIME LIMIT":
        return replace(make_wall_time_ending(drain_s), is_urgent=True)
    codes = {"PREEMPTION": "preempted", "JOB REQUEUE": "requeued", "NODE FAILURE": "node_fail"}
    if cause not in codes:
        return None
    messages = {
        "PREEMPTION": "A job that goes first took the session's node.",
        "JOB REQUEUE": "Slurm put the session back into the queue.",
        "NODE FAILURE": "Slurm lost a node of the session.",
    }
    again = requeue or cause == "JOB REQUEUE"
    remedy = "Slurm starts it again by itself, with a new address." if again else ""
    remedy = remedy or f"Launch it again: curc-llm repeat {session_id}"
    trouble = Trouble(code=codes[cause], message=messages[cause], remedy=remedy)
    return Ending(SessionStatus.FAILED, trouble, 0, is_urgent=True)


def make_trouble_ending(trouble: Trouble) -> Ending:
    """Something broke for good."""
    return Ending(SessionStatus.FAILED, trouble, 0)
