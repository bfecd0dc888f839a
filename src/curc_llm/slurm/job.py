"""Job: what Slurm says of one: squeue's and sacct's lines become `Job`s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from curc_llm.slurm.reasons import explain_reason, will_never_start
from curc_llm.slurm.state import JobState, parse_state

# Fields without text of a person's making, so none holds a `|`. SLURM_TIME_FORMAT makes times Unix times.
SQUEUE_FORMAT = "%i|%T|%S|%e|%P|%q|%N|%r"
SACCT_FORMAT = "JobIDRaw,State,Start,End,Partition,QOS,NodeList,ExitCode"


@dataclass(frozen=True)
class Job:
    """One job, as Slurm knows it.

    Args:
        job_id: Slurm's number.
        state: how it is doing.
        reason: Slurm's word for why it waits; empty when there is none.
        start_at: Unix time of its start; of a waiting job the expected one, None when Slurm can't tell.
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
    """The lines of squeue in SQUEUE_FORMAT; what isn't such a line is left out."""
    return _by_id(_parse_squeue_line(line.split("|", 7)) for line in text.splitlines())


def parse_sacct(text: str) -> dict[str, Job]:
    """The lines of sacct in SACCT_FORMAT, of a job that ran again the last; other lines are left out."""
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
