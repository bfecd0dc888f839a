"""Poll: one question to Slurm for any number of jobs, and never more often than every few seconds."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable

from curc_llm.errors import SlurmError, SlurmSilentError
from curc_llm.slurm.command import Slurm, check_job_id
from curc_llm.slurm.job import SACCT_FORMAT, SQUEUE_FORMAT, Job, parse_sacct, parse_squeue
from curc_llm.slurm.state import JobState

MIN_GAP_S = 5.0
# Job ids in one command line: far below the kernel's limit of 128 KiB for one argument.
_MOST_IDS = 2000


class SlurmPoll:
    """Answers how jobs are doing. Threads may share it.

    Args:
        slurm: Slurm's commands.
        min_gap_s: seconds for which an answer is good.
        clock: monotonic seconds; for tests.

    Example:
        >>> SlurmPoll(Slurm()).jobs(["12345"])["12345"].state.value
        'RUNNING'
    """

    def __init__(
        self, slurm: Slurm, *, min_gap_s: float = MIN_GAP_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slurm = slurm
        self._min_gap_s = min_gap_s
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._asked_at: float | None = None

    def jobs(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """Each job that was asked for. Within `min_gap_s` the last answer is given again.

        A job that was not asked for before is UNKNOWN until the next question is due. Slurm being silent
        makes every job UNKNOWN; none is called GONE unless Slurm answered.

        Raises:
            SlurmError: an id isn't one.
        """
        wanted = [check_job_id(job_id) for job_id in dict.fromkeys(job_ids)]
        with self._lock:
            if wanted and self._is_due():
                self._jobs = ask(self._slurm, [*wanted, *self._still_watched(wanted)])
                self._asked_at = self._clock()
            return {job_id: self._jobs.get(job_id) or Job(job_id, JobState.UNKNOWN) for job_id in wanted}

    def _is_due(self) -> bool:
        return self._asked_at is None or self._clock() - self._asked_at >= self._min_gap_s

    def _still_watched(self, wanted: list[str]) -> list[str]:
        """Jobs that others asked for lately: one question serves all."""
        asked = set(wanted)
        return [j.job_id for j in self._jobs.values() if j.job_id not in asked and not j.state.is_over]


def ask(slurm: Slurm, job_ids: list[str]) -> dict[str, Job]:
    """Asks Slurm once: squeue, and sacct for those that aren't in the queue any more."""
    found: dict[str, Job] = {}
    for start in range(0, len(job_ids), _MOST_IDS):
        found |= _ask_some(slurm, job_ids[start : start + _MOST_IDS])
    return found


def _ask_some(slurm: Slurm, job_ids: list[str]) -> dict[str, Job]:
    try:
        found = _ask_squeue(slurm, job_ids)
        missing = [job_id for job_id in job_ids if job_id not in found]
    except SlurmError:
        return {job_id: Job(job_id, JobState.UNKNOWN) for job_id in job_ids}
    try:
        past = _ask_sacct(slurm, missing) if missing else {}
        absent = JobState.GONE
    except SlurmError:
        past, absent = {}, JobState.UNKNOWN
    return {job_id: found.get(job_id) or past.get(job_id) or Job(job_id, absent) for job_id in job_ids}


def _ask_squeue(slurm: Slurm, job_ids: list[str]) -> dict[str, Job]:
    """The caller's jobs alone (Slurm then sends those alone), the wanted ones of them."""
    options = ["--noheader", "--states=all", f"--user={os.getuid()}", f"--format={SQUEUE_FORMAT}"]
    try:
        return parse_squeue(slurm.query("squeue", *options, f"--jobs={','.join(job_ids)}"))
    except SlurmSilentError:
        raise
    except SlurmError as error:
        # Of a single id that left the queue squeue says so instead of printing nothing.
        if "no such job" in error.message:
            return {}
        raise


def _ask_sacct(slurm: Slurm, job_ids: list[str]) -> dict[str, Job]:
    options = ["--noheader", "--parsable2", "--allocations", f"--format={SACCT_FORMAT}"]
    try:
        return parse_sacct(slurm.query("sacct", *options, f"--jobs={','.join(job_ids)}"))
    except SlurmError as error:
        if "accounting" in error.message and "disabled" in error.message:
            return {}
        raise
