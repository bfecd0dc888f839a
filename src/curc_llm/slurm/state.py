"""State: what Slurm says of a job: squeue's and sacct's lines become `Job`s. Unknown is not gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from curc_llm.slurm.reasons import explain_reason, will_never_start

# Fields without text of a person's making, so `|` can't occur in them. SLURM_TIME_FORMAT makes times Unix times.
SQUEUE_FORMAT = "%i|%T|%S|%e|%P|%q|%N|%r"
SACCT_FORMAT = "JobIDRaw,State,Start,End,Partition,QOS,NodeList,ExitCode"


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
    JobState.NODE_FAIL, JobState.PREEMPTED, JobState.BOOT_FAIL, JobState.LAUNCH_FAILED, JobState.RECONFIG_FAIL,
    JobState.DEADLINE, JobState.REVOKED, JobState.GONE,
})  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One job, as Slurm knows it.

    Args:
        job_id: Slurm's number.
        state: how it is doing.
        reason: Slurm's word for why it waits; empty when there is none.
        start_at: Unix time of its start; of a waiting job the one that Slurm expects, None when it can't tell.
        end_at: Unix time at which it ends, or ended.
        partition, qos: where it is.
        nodes: as Slurm writes them, such as `c3gpu-a9-u29-1`; empty while it waits.
        exit_code: `status:signal` of an ended job, where known.
    """

    job_id: str
    state: JobState
    reason: str = ""
    start_at: float | None = None
    end_at: float | None = None
    partition: str = ""
    qos: str = ""
    nodes: str = ""
    exit_code: str = ""

    @property
    def why_waiting(self) -> str:
        """Why it waits in plain words; empty when it doesn't."""
        return explain_reason(self.reason) if self.state.is_waiting else ""

    @property
    def waits_in_vain(self) -> bool:
        """True when it waits for something that will not come."""
        return self.state.is_waiting and will_never_start(self.reason)


def parse_state(word: str) -> JobState:
    """Slurm's word; what follows the first word (`CANCELLED by 1000`) and a `+` of a cut column are no part of it.

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


def parse_time(text: str) -> float | None:
    """A time of Slurm's as Unix time; None for `N/A`, `Unknown` and anything else that isn't one.

    Slurm writes Unix times where SLURM_TIME_FORMAT=%s is honoured, else this machine's local time.

    Example:
        >>> parse_time("1795264751"), parse_time("N/A"), parse_time("None")
        (1795264751.0, None, None)
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text) or None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def parse_squeue(text: str) -> dict[str, Job]:
    """squeue's lines in SQUEUE_FORMAT; what isn't such a line is left out."""
    return _by_id(_parse_squeue_line(line.split("|", 7)) for line in text.splitlines())


def parse_sacct(text: str) -> dict[str, Job]:
    """sacct's lines in SACCT_FORMAT, of a job that ran again the last; what isn't such a line is left out."""
    return _by_id(_parse_sacct_line(line.split("|")) for line in text.splitlines())


def _by_id(jobs: Iterable[Job | None]) -> dict[str, Job]:
    return {job.job_id: job for job in jobs if job is not None}


def _parse_squeue_line(fields: list[str]) -> Job | None:
    if len(fields) != 8 or not fields[0].isdigit():
        return None
    job_id, state, start, end, partition, qos, nodes, reason = fields
    return Job(
        job_id=job_id,
        state=parse_state(state),
        reason=""
        if reason.strip() == "None" and parse_state(state) is not JobState.PENDING
        else reason.strip(),
        start_at=parse_time(start),
        end_at=parse_time(end),
        partition=partition,
        qos=qos,
        nodes="" if nodes == "(null)" else nodes,
    )


def _parse_sacct_line(fields: list[str]) -> Job | None:
    if len(fields) < 8 or not fields[0].isdigit():
        return None
    job_id, state, start, end, partition, qos, nodes, exit_code = fields[:8]
    return Job(
        job_id=job_id,
        state=parse_state(state),
        start_at=parse_time(start),
        end_at=parse_time(end),
        partition=partition,
        qos=qos,
        nodes="" if nodes == "None assigned" else nodes,
        exit_code=exit_code,
    )
