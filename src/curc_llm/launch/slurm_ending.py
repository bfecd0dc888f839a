"""Why Slurm ended a session that could not say so itself, in a person's words."""

from __future__ import annotations

from curc_llm.session.record import SessionStatus, Trouble
from curc_llm.slurm.job import Job
from curc_llm.slurm.state import JobState

_AGAIN = "Launch it again: curc-llm repeat {session}"
# Slurm's state → our status, code, what happened, what to do. Sources: squeue's manual, JOB STATE CODES.
_ENDINGS: dict[JobState, tuple[SessionStatus, str, str, str]] = {
    JobState.TIMEOUT: (
        SessionStatus.ENDED, "wall_time", "The session reached the end of its time.",
        "Launch it again; ask for more hours if you need them: curc-llm repeat {session}",
    ),
    JobState.CANCELLED: (SessionStatus.ENDED, "cancelled", "The job was cancelled.", ""),
    JobState.OUT_OF_MEMORY: (
        SessionStatus.FAILED, "host_memory",
        "The job used more of the node's memory than it had asked for, so Slurm ended it.",
        "Launch it again with more cores, which bring memory (--cpus-per-task), or a smaller model.",
    ),
    JobState.NODE_FAIL: (
        SessionStatus.FAILED, "node_fail", "Slurm lost the node that the session ran on.", _AGAIN,
    ),
    JobState.PREEMPTED: (
        SessionStatus.FAILED, "preempted", "A job that goes first took the session's node.", _AGAIN,
    ),
    JobState.BOOT_FAIL: (
        SessionStatus.FAILED, "node_fail", "The node that Slurm had chosen did not start.", _AGAIN,
    ),
    JobState.LAUNCH_FAILED: (
        SessionStatus.FAILED, "node_fail", "Slurm could not start the job on its node.", _AGAIN,
    ),
    JobState.RECONFIG_FAIL: (
        SessionStatus.FAILED, "node_fail", "The node could not be set up for the job.", _AGAIN,
    ),
    JobState.DEADLINE: (
        SessionStatus.FAILED, "deadline", "Slurm dropped the job: it could no longer end in time.", _AGAIN,
    ),
    JobState.REVOKED: (
        SessionStatus.FAILED, "revoked", "Another cluster took the job.", "Look for it there: squeue --me",
    ),
    JobState.GONE: (
        SessionStatus.GONE, "gone", "Slurm knows the job no longer, and it left no word of its end.", _AGAIN,
    ),
}  # fmt: skip
# What a shell reports of a program that isn't there, or can't be run (POSIX, 2.8.2 Exit Status for Commands).
_NO_PROGRAM = {"126", "127"}


def explain_end(job: Job, session_id: str, *, has_record: bool) -> tuple[SessionStatus, Trouble]:
    """How a session ended whose job is over but whose record doesn't say so.

    Args:
        job: one that is over.
        session_id: for the remedy.
        has_record: whether the job had come as far as to write its record.

    Example:
        >>> explain_end(Job("1", JobState.NODE_FAIL), "slurm-abc", has_record=True)[1].remedy
        'Launch it again: curc-llm repeat slurm-abc'
    """
    if job.state in _ENDINGS:
        status, code, message, remedy = _ENDINGS[job.state]
    elif not has_record and job.exit_code.partition(":")[0] in _NO_PROGRAM:
        status, code = SessionStatus.FAILED, "no_runtime"
        message = "The job found no curc-llm on its node: the runtime that the site names isn't there."
        remedy = "Tell your centre's staff; they see more in: curc-llm doctor --site. The job's own words: "
        remedy += "curc-llm logs {session} --part job"
    else:
        status, code = SessionStatus.FAILED, "job_failed"
        exit_code = f" ({job.exit_code})" if job.exit_code else ""
        message = f"The job ended{exit_code} without saying why."
        remedy = "Its own words: curc-llm logs {session} --part job"
    return status, Trouble(code=code, message=message, remedy=remedy.format(session=session_id))
