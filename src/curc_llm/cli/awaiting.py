"""Waiting for a session in Slurm: its place in the queue, then its phases, then its card."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from curc_llm.cli.card import make_card, render_card
from curc_llm.client.progress import Progress, render_duration
from curc_llm.errors import EngineError, LaunchError, SessionNotFoundError
from curc_llm.launch.local import is_ready
from curc_llm.launch.queued import SlurmSession, load_session
from curc_llm.launch.slurm_position import Position, ask_position
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionStatus
from curc_llm.slurm.poll import MIN_GAP_S, SlurmPoll

if TYPE_CHECKING:
    from curc_llm.cli.output import Output
    from curc_llm.session.store import FoundSession
    from curc_llm.slurm.command import Slurm
    from curc_llm.spec import LaunchSpec

LOOK_EVERY_S = 0.5


def wait_for_session(spec: LaunchSpec, slurm: Slurm, output: Output) -> None:
    """Shows how a session gets ready, then its card. Ctrl-C leaves the session as it is.

    Raises:
        LaunchError, EngineError: it ended instead.
    """
    paths = SessionPaths(spec.session_dir)
    found = _watch(paths, slurm)
    card = {**make_card(paths, found.record), "job_id": found.record.slurm_job_id}
    text = render_card(card, f"curc-llm stop {spec.session_id}")
    output.data(f"\n{card['model']} is ready.\n\n{text}\n", card)


def _watch(paths: SessionPaths, slurm: Slurm) -> FoundSession:
    poll, progress, queue = SlurmPoll(slurm), Progress(), QueueView(slurm)
    try:
        while True:
            found = load_session(paths.root, poll)
            if found is None:
                raise SessionNotFoundError(f"The folder {paths.root} is gone.", "Launch again.")
            _raise_if_over(found)
            if is_ready(found.record):
                return found
            job = found.job if isinstance(found, SlurmSession) else None
            if job is not None and job.waits_in_vain:
                raise LaunchError(
                    f"The job waits in vain: {job.why_waiting}.",
                    f"Take it back: curc-llm stop {found.session_id}",
                )
            if found.status in {SessionStatus.QUEUED, SessionStatus.UNKNOWN}:
                progress.show_text(queue.render(found), key=str(found.status))
            else:
                progress.show(found.record)
            time.sleep(LOOK_EVERY_S)
    finally:
        progress.close()


def _raise_if_over(found: FoundSession) -> None:
    if not found.status.is_over:
        return
    reason = found.record.reason
    log = f"Its log: curc-llm logs {found.session_id} --part job"
    if reason is None:
        raise LaunchError("The session ended without giving a reason.", log)
    raise EngineError(reason.message, reason.remedy or log)


class QueueView:
    """Says in one line how a waiting session stands.

    Args:
        slurm: Slurm's commands, for the place in the queue.
    """

    def __init__(self, slurm: Slurm) -> None:
        self._slurm = slurm
        self._position: Position | None = None
        self._asked_at = -MIN_GAP_S

    def render(self, found: FoundSession) -> str:
        """Why it waits, its place, and when Slurm expects it to start."""
        job = found.job if isinstance(found, SlurmSession) else None
        number = found.record.slurm_job_id
        if job is None or not job.state.is_waiting:
            return f"job {number}: Slurm is silent; the session is not touched by this"
        parts = [f"job {number} is queued: {job.why_waiting or 'Slurm has not looked at it yet'}"]
        if place := self._ask(job.job_id, job.partition):
            parts.append(f"place {place.place} of {place.waiting} in {job.partition}")
        if job.start_at is not None and (left_s := job.start_at - time.time()) > 0:
            parts.append(f"Slurm expects it to start in {render_duration(left_s)}")
        return "; ".join(parts)

    def _ask(self, job_id: str, partition: str) -> Position | None:
        if time.monotonic() - self._asked_at >= MIN_GAP_S:
            self._position = ask_position(self._slurm, job_id, partition)
            self._asked_at = time.monotonic()
        return self._position
