"""What a session does only as a Slurm job: it fits its allocation and heeds Slurm's clock and signals."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Final

from curc_llm.errors import CurcLlmError
from curc_llm.job.board import Board
from curc_llm.job.clocks import Clocks
from curc_llm.job.ending import Ending, make_slurm_ending, make_trouble_ending, make_wall_time_ending
from curc_llm.job.mail import MailError, make_message, send_message
from curc_llm.job.slurm_words import read_cause
from curc_llm.launch.allocation import AllocationError, fit_allocation
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord, SessionStatus, Trouble
from curc_llm.session.slurm_note import SlurmNote, read_slurm_note, write_slurm_note
from curc_llm.session.store import read_record
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import ask
from curc_llm.spec import LaunchSpec

# How often Slurm is asked when the job ends: staff may give it more time, or less.
ASK_END_EVERY_S = 300.0
LOOK_EVERY_S = 1.0
# Slurm's warning comes 120 s before the end, or up to a minute earlier (sbatch manual, --signal): nearer than
# this to a known end it is no news, and the clock ends the session in time. Further away, Slurm knows better.
NEAR_END_S = 300.0
# Slurm kills what is left KillWait (30 s by default) after TERM; of that the drain may have so much.
URGENT_DRAIN_S = 3.0
IGNORED: Final = Ending(SessionStatus.ENDED, Trouble(code="ignored", message=""), 0)


def note_slurm_job(paths: SessionPaths, job_id: str | None = None) -> SessionRecord | None:
    """Notes which job this session is; what an earlier run of the same job left is taken away.

    Args:
        paths: the session's files.
        job_id: Slurm's; from the environment when not given.

    Returns:
        The record of the earlier run; None when Slurm hasn't started the job again.
    """
    job_id = job_id or os.environ.get("SLURM_JOB_ID")
    if job_id is None:
        return None
    earlier = read_record(paths.record)
    paths.record.unlink(missing_ok=True)
    note = read_slurm_note(paths.slurm)
    if note is None or note.job_id != job_id:
        cluster = os.environ.get("SLURM_CLUSTER_NAME", "")
        write_slurm_note(paths.slurm, SlurmNote(job_id=job_id, submitted_at=time.time(), cluster=cluster))
    return earlier


class SlurmSide:
    """A session's dealings with Slurm.

    Args:
        spec: settled on this node.
        board: where warnings are shown.
        clocks: told when the wall time is over.
        request_end: called when the session can't run here.
    """

    def __init__(
        self, spec: LaunchSpec, board: Board, clocks: Clocks, request_end: Callable[[Ending], None]
    ) -> None:
        self._spec = spec
        self._board = board
        self._clocks = clocks
        self._request_end = request_end
        self._asking: asyncio.Task[None] | None = None
        self._job_id = os.environ.get("SLURM_JOB_ID", "")

    def start(self) -> list[asyncio.Task[None]]:
        """The tasks that run beside the session."""
        tasks = [self._follow_end()] if self._job_id else []
        tasks += [self._mail_when_ready()] if self._spec.mail_on_ready else []
        return [asyncio.create_task(task) for task in tasks]

    async def fit(self) -> LaunchSpec | None:
        """The spec for the GPUs that the job got; None when it can't run here, which ends the session."""
        try:
            allocation = await asyncio.to_thread(fit_allocation, self._spec)
        except CurcLlmError as error:
            code = error.code if isinstance(error, AllocationError) else "allocation"
            self._request_end(
                make_trouble_ending(Trouble(code=code, message=error.message, remedy=error.remedy))
            )
            return None
        for note in allocation.notes:
            self._board.warn(note)
        return allocation.spec

    def judge_signal(self, number: signal.Signals, left_s: float | None) -> Ending | None:
        """What a signal from Slurm means: an ending, IGNORED, or None where it is as outside Slurm.

        Args:
            number: USR1 is Slurm's warning, TERM its word that the job is over. A warning far from the end
                that is known means that staff have shortened the time, or that somebody wants the end now:
                Slurm is asked which.
            left_s: seconds of wall time left.
        """
        if number is signal.SIGUSR1:
            if left_s is None or left_s > NEAR_END_S:
                self._asking = asyncio.create_task(self._learn_nearer_end())
            return IGNORED
        if number is not signal.SIGTERM:
            return None
        cause = read_cause(self._job_id)
        requeue = self._spec.slurm is not None and self._spec.slurm.requeue
        return make_slurm_ending(cause, self._spec.session_id, requeue=requeue, drain_s=URGENT_DRAIN_S)

    async def _follow_end(self) -> None:
        """Keeps the clock at what Slurm says; Slurm being silent changes nothing."""
        while True:
            await self._ask_end()
            await asyncio.sleep(ASK_END_EVERY_S)

    async def _ask_end(self) -> None:
        job = (await asyncio.to_thread(ask, Slurm(), [self._job_id]))[self._job_id]
        if job.end_at is not None and job.state.is_running:
            self._clocks.set_end(job.end_at)

    async def _learn_nearer_end(self) -> None:
        """Goes on to the end that Slurm tells now; ends the session when that isn't near, or not told."""
        await self._ask_end()
        left_s = self._clocks.left_s()
        if left_s is None or left_s > NEAR_END_S:
            self._request_end(make_wall_time_ending(self._spec.drain_s))

    async def _mail_when_ready(self) -> None:
        while self._board.record.ready_at is None:
            await asyncio.sleep(LOOK_EVERY_S)
        record = self._board.record
        try:
            message = make_message(record, self._spec.mail_user or record.owner)
            await asyncio.to_thread(send_message, message)
        except (MailError, ValueError) as error:
            self._board.warn(f"The e-mail that you asked for could not be sent: {error}.")
