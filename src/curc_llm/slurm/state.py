"""State: Slurm's words for how a job is doing. Unknown is not gone."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Slurm's words for how a job is doing, and two of ours.

    `UNKNOWN`: Slurm didn't answer, or said a word that is new. `GONE`: it did answer and knows no such job.
    """

    PENDING = "PENDING"
    CONFIGURING = "CONFIGURING"
    REQUEUED = "REQUEUED"
    REQUEUE_HOLD = "REQUEUE_HOLD"
    REQUEUE_FED = "REQUEUE_FED"
    RESV_DEL_HOLD = "RESV_DEL_HOLD"
    SPECIAL_EXIT = "SPECIAL_EXIT"
    RUNNING = "RUNNING"
    COMPLETING = "COMPLETING"
    RESIZING = "RESIZING"
    SIGNALING = "SIGNALING"
    STAGE_OUT = "STAGE_OUT"
    SUSPENDED = "SUSPENDED"
    STOPPED = "STOPPED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NODE_FAIL = "NODE_FAIL"
    PREEMPTED = "PREEMPTED"
    BOOT_FAIL = "BOOT_FAIL"
    LAUNCH_FAILED = "LAUNCH_FAILED"
    RECONFIG_FAIL = "RECONFIG_FAIL"
    DEADLINE = "DEADLINE"
    REVOKED = "REVOKED"
    GONE = "GONE"
    UNKNOWN = "UNKNOWN"

    @property
    def is_waiting(self) -> bool:
        """True while the job has not begun (or begins anew)."""
        return self in _WAITING

    @property
    def is_over(self) -> bool:
        """True when the job has ended; never of an UNKNOWN one."""
        return self in _OVER

    @property
    def is_running(self) -> bool:
        """True while the job holds nodes."""
        return not (self.is_waiting or self.is_over or self is JobState.UNKNOWN)


_WAITING = frozenset({
    JobState.PENDING, JobState.CONFIGURING, JobState.REQUEUED, JobState.REQUEUE_HOLD, JobState.REQUEUE_FED,
    JobState.RESV_DEL_HOLD, JobState.SPECIAL_EXIT,
})  # fmt: skip
_OVER = frozenset({
    JobState.COMPLETED, JobState.CANCELLED, JobState.FAILED, JobState.TIMEOUT, JobState.OUT_OF_MEMORY,
    JobState.NODE_FAIL, JobState.PREEMPTED, JobState.BOOT_FAIL, JobState.LAUNCH_FAILED,
    JobState.RECONFIG_FAIL, JobState.DEADLINE, JobState.REVOKED, JobState.GONE,
})  # fmt: skip


def parse_state(word: str) -> JobState:
    """Slurm's word; what follows the first (`CANCELLED by 1000`) and a cut column's `+` are no part of it.

    Example:
        >>> parse_state("CANCELLED by 1000").value, parse_state("NEW_WORD").value
        ('CANCELLED', 'UNKNOWN')
    """
    first = (word.split() or [""])[0].rstrip("+")
    try:
        state = JobState(first)
    except ValueError:
        return JobState.UNKNOWN
    return state if state is not JobState.GONE else JobState.UNKNOWN
