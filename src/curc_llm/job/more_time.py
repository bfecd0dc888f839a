"""More wall time for the job itself, where the site lets people give it (most don't)."""

from __future__ import annotations

import asyncio
import math
import os
import time

from curc_llm.errors import CurcLlmError
from curc_llm.job.board import Board
from curc_llm.job.clocks import Clocks
from curc_llm.job.other_jobs import OtherJobs
from curc_llm.slurm.poll import ask


class MoreTime:
    """Asks Slurm to let this job run for longer.

    Args:
        jobs: know whether the site allows it.
        board: where a refusal is told.
        clocks: follow Slurm's new end at once.
    """

    def __init__(self, jobs: OtherJobs, board: Board, clocks: Clocks) -> None:
        self._jobs = jobs
        self._board = board
        self._clocks = clocks
        self._job_id = os.environ.get("SLURM_JOB_ID", "")

    async def ask(self, hours: float) -> bool:
        """Whether Slurm has given so many hours more."""
        if not self._jobs.may_extend or not self._job_id:
            return False
        minutes = math.ceil(hours * 60)
        command = ("scontrol", "update", f"JobId={self._job_id}", f"TimeLimit=+{minutes}")
        try:
            await asyncio.to_thread(self._jobs.slurm.query, *command)
        except CurcLlmError as error:
            self._board.warn(f"Slurm gives this job no more time ({error.message}), so another is to go on.")
            return False
        job = (await asyncio.to_thread(ask, self._jobs.slurm, [self._job_id]))[self._job_id]
        left_s = self._clocks.left_s() or 0.0
        self._clocks.set_end(job.end_at or time.time() + left_s + hours * 3600)
        return True
