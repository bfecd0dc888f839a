"""Carries a hand-over out: the successor is submitted, warms up, takes the traffic; its name is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from curc_llm.errors import CurcLlmError, NodesDownError
from curc_llm.gateway.channel import EngineTarget
from curc_llm.job.board import Board
from curc_llm.job.ending import Ending
from curc_llm.job.hand_over import Estimate, HandOver, Step, Wish, estimate_queue_s, measure_start_s
from curc_llm.job.other_jobs import OtherJobs, list_models
from curc_llm.job.other_session import OtherSession, end_all
from curc_llm.launch.other_spec import make_successor_spec
from curc_llm.launch.slurm import make_submission
from curc_llm.session.demand import HandOverRecord, OtherPhase
from curc_llm.session.keys import KeyList, read_keys, write_keys
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionStatus, Trouble
from curc_llm.session.slurm_note import read_slurm_note
from curc_llm.session.succession import leave_keys, pass_keys_on
from curc_llm.slurm.start import expect_start

TICK_S = 1.0
# Slurm is asked so often how long a job would wait now.
ASK_QUEUE_EVERY_S = 600.0
CLOSE_S = 6.0
# When it is to be submitted is told anew once it has moved by so much: it moves with a start that lasts.
MOVED_S = 60.0
# Ends that the owner wanted: then nothing is to go on either.
WANTED_ENDS = {"stopped", "idle"}
# Ends of a successor after which none is to be tried again: somebody wanted them.
TAKEN_BACK = {"stopped", "cancelled"}
# Ends after which Slurm starts this very session again, if it may.
RETURNING_ENDS = {"preempted", "requeued"}


class HandOverKeeper:
    """A session's hand-over to its successor.

    Args:
        jobs: submits it.
        paths: this session's files.
        board: where it is shown; each change tells the gateway anew where to route.
        left_s: tells the seconds of wall time that are left.
        request_end: called when the old address has been kept for long enough.
    """

    def __init__(
        self,
        jobs: OtherJobs,
        paths: SessionPaths,
        board: Board,
        left_s: Callable[[], float | None],
        request_end: Callable[[Ending], None],
    ) -> None:
        self._jobs = jobs
        self._paths = paths
        self._board = board
        self._left_s = left_s
        self._request_end = request_end
        self._plan: HandOver | None = None
        self._successor: OtherSession | None = None
        self._submitting: asyncio.Task[OtherSession] | None = None
        self._keys: KeyList | None = None
        self._queue_s = 0.0
        self._asked_s = float("-inf")
        self._shown_lead_s = float("-inf")
        self._wished = asyncio.Event()

    def set_wish(self, wish: Wish) -> None:
        """Takes what the owner asked for; a successor that is there already is kept."""
        if self._plan is None or self._successor is None:
            self._plan = HandOver(wish)
        else:
            self._plan.wish = wish
        self._wished.set()

    @property
    def is_done(self) -> bool:
        """Whether the successor answers for this session, which then serves nothing of its own."""
        successor = self._successor
        is_moved = self._plan is not None and self._plan.moved_s is not None
        return is_moved and successor is not None and successor.phase is OtherPhase.READY

    def targets(self) -> list[EngineTarget]:
        """The successor's engines, once it can answer; until the move those that serve what this one does."""
        successor = self._successor
        if successor is None or successor.phase is not OtherPhase.READY:
            return []
        return successor.targets(None if self.is_done else list_models(self._board.record))

    async def run(self) -> None:
        """Works until cancelled; does nothing before a hand-over is wished for."""
        await self._wished.wait()
        while self._plan is not None:
            await self._tick(self._plan)
            await asyncio.sleep(TICK_S)

    async def _tick(self, plan: HandOver) -> None:
        if self._successor is not None:
            if plan.moved_s is not None:
                await asyncio.to_thread(self._note_keys)
            await asyncio.to_thread(self._successor.look, self._jobs.poll)
            await self._drop_if_lost(plan, self._successor)
            await self._drop_if_unlike(plan)
        elif time.monotonic() - self._asked_s > ASK_QUEUE_EVERY_S:
            await self._ask_queue(plan)
        estimate = Estimate(self._queue_s, measure_start_s(self._board.record, time.time()))
        left_s = self._left_s()
        phase = self._successor.phase if self._successor is not None else None
        step = plan.decide(time.monotonic(), left_s if left_s is not None else float("inf"), estimate, phase)
        await self._take(step, plan)
        self._show(plan, estimate)

    async def _take(self, step: Step, plan: HandOver) -> None:
        if step is Step.SUBMIT:
            await self._submit(plan)
        elif step is Step.MOVE and self._successor is not None and not self._is_swapping:
            await self._move(plan, self._successor)
        elif step is Step.DROP and self._successor is not None:
            await self._put_off(self._successor)
        elif step is Step.END:
            self._request_end(self.make_ending(self._jobs.spec.drain_s))

    async def _ask_queue(self, plan: HandOver) -> None:
        """How long another job like this one would wait: what Slurm says, or what this one waited itself."""
        self._asked_s = time.monotonic()
        note, record = read_slurm_note(self._paths.slurm), self._board.record
        # Of a job that Slurm has started again, the time since its submission is no waiting.
        is_first = os.environ.get("SLURM_RESTART_COUNT", "0") == "0"
        waited_s = record.started_at - note.submitted_at if note is not None and is_first else 0.0
        spec = make_successor_spec(self._jobs.spec, plan.wish.hours * 3600)
        try:
            request = make_submission(spec, self._jobs.runtime).request
            expected = await asyncio.to_thread(expect_start, self._jobs.slurm, request)
        except CurcLlmError as error:
            self._board.warn(f"{_name_trouble(error)}: {error.message} {error.remedy}")
            self._queue_s = max(self._queue_s, estimate_queue_s(waited_s, 0.0))
            return
        expected_s = expected.at - time.time() if expected.at is not None else 0.0
        self._queue_s = estimate_queue_s(waited_s, expected_s)

    async def _submit(self, plan: HandOver) -> None:
        spec = make_successor_spec(self._jobs.spec, plan.wish.hours * 3600)
        submit = asyncio.to_thread(self._jobs.submit, spec, self._board.record)
        self._submitting = asyncio.create_task(submit)
        try:
            self._successor = await asyncio.shield(self._submitting)
        except CurcLlmError as error:
            self._submitting = None
            plan.note_failure(time.monotonic())
            self._board.warn(f"The job to hand over to wasn't taken: {error.message} {error.remedy}".rstrip())
            return
        self._submitting = None
        sys.stderr.write(f"Successor {spec.session_id} is submitted as job {self._successor.job_id}.\n")

    async def _move(self, plan: HandOver, successor: OtherSession) -> None:
        """From now on the successor answers; its name stands in the record, and it knows everybody's keys."""
        try:
            self._keys = await asyncio.to_thread(pass_keys_on, self._paths, successor.paths)
        except (CurcLlmError, OSError) as error:
            self._board.warn(f"The keys can't be handed over to {successor.session_id}: {error}")
            return
        plan.note_move(time.monotonic())
        self._board.update(successor=successor.session_id)
        self._board.warn(
            f"This session goes on as {successor.session_id}: this address leads there until it ends."
        )

    async def _put_off(self, successor: OtherSession) -> None:
        """With the time that Slurm has given meanwhile, this session goes on by itself for longer."""
        await end_all([successor], self._jobs.slurm, CLOSE_S, self._board.warn)
        self._successor = None
        told = f"{successor.session_id} isn't needed yet, so its job {successor.job_id} was taken back"
        self._board.warn(f"Slurm has given this job more time: {told}; another is submitted in time.")

    def _note_keys(self) -> None:
        """The one list is the successor's file, which goes when that one ends."""
        with contextlib.suppress(CurcLlmError):
            self._keys = read_keys(self._paths.keys)

    async def _drop_if_unlike(self, plan: HandOver) -> None:
        """A successor knows only the model that the session was launched with, not one in its place."""
        record, successor = self._board.record, self._successor
        if successor is None or plan.moved_s is not None or self._is_swapping:
            return
        if refusal := self._jobs.find_refusal(record):
            await end_all([successor], self._jobs.slurm, CLOSE_S, self._board.warn)
            self._successor = None
            told = f"The session isn't handed over to {successor.session_id}: {refusal}"
            plan.give_up(told)
            self._board.warn(told)

    @property
    def _is_swapping(self) -> bool:
        """Whether it can't be told yet which model is served."""
        return any(engine.swap for engine in self._board.record.engines)

    async def _take_keys_back(self) -> None:
        try:
            if self._keys is not None:
                await asyncio.to_thread(write_keys, self._paths.keys, self._keys)
        except OSError as error:
            self._board.warn(f"The session's keys can't be written: {error.strerror}.")

    async def _drop_if_lost(self, plan: HandOver, successor: OtherSession) -> None:
        """A successor that ended or can't ever begin is none; this session serves on, and tries again."""
        if successor.waits_in_vain:
            await end_all([successor], self._jobs.slurm, CLOSE_S, self._board.warn)
        elif successor.phase is not OtherPhase.ENDED:
            return
        self._successor = None
        if plan.moved_s is not None:
            await self._take_keys_back()
        plan.note_failure(time.monotonic())
        self._board.update(successor="")
        name = f"{successor.session_id} (job {successor.job_id})"
        if successor.trouble is not None and successor.trouble.code in TAKEN_BACK:
            plan.give_up(ENDED_BY_HAND.format(name=name))
            self._board.warn(plan.why_none)
        else:
            told = successor.detail or "it left no word"
            self._board.warn(f"The job to hand over to, {name}, is lost: {told}")

    def _show(self, plan: HandOver, estimate: Estimate) -> None:
        successor, ends_at = self._successor, self._board.record.ends_at
        if abs(estimate.lead_s - self._shown_lead_s) >= MOVED_S:
            self._shown_lead_s = estimate.lead_s
        submit_at = ends_at - self._shown_lead_s if ends_at is not None and successor is None else None
        record = HandOverRecord(
            session_id=successor.session_id if successor is not None else "",
            job_id=successor.job_id if successor is not None else "",
            phase=successor.phase if successor is not None else OtherPhase.UNKNOWN,
            detail=successor.detail if successor is not None else plan.why_none if plan.gave_up else "",
            submit_at=round(submit_at) if submit_at is not None and not plan.gave_up else None,
            is_done=self.is_done,
            base_url=successor.base_url if successor is not None else None,
        )
        if record != self._board.record.hand_over:
            self._board.update(hand_over=record)

    async def close(self, end: Ending) -> Ending:
        """Leaves the successor in charge, or ends it where nothing is to go on; the ending to be told."""
        await self._finish_submitting()
        successor = self._successor
        if successor is None or successor.phase is OtherPhase.ENDED:
            return end
        returns = end.reason.code in RETURNING_ENDS and "by itself" in end.reason.remedy
        if not self.is_done and (end.reason.code in WANTED_ENDS or returns):
            await end_all([successor], self._jobs.slurm, CLOSE_S, self._board.warn)
            return end
        if not self.is_done:
            await self._leave_early(successor)
        if end.status is SessionStatus.FAILED:
            return end
        return replace(self.make_ending(end.drain_s), is_urgent=end.is_urgent)

    async def _finish_submitting(self) -> None:
        """What Slurm is being given just now can't be taken back, or left in charge, before it is there."""
        if self._submitting is not None:
            done, _ = await asyncio.wait({self._submitting}, timeout=CLOSE_S)
            if done and self._submitting.exception() is None:
                self._successor = self._submitting.result()

    async def _leave_early(self, successor: OtherSession) -> None:
        """The end came before the successor could answer: who follows the name waits for it."""
        try:
            await asyncio.to_thread(leave_keys, self._paths, successor.paths)
        except (CurcLlmError, OSError) as error:
            sys.stderr.write(f"The keys can't be handed over: {error}\n")
        self._board.update(successor=successor.session_id)

    def make_ending(self, drain_s: float) -> Ending:
        """How a session ends that goes on elsewhere."""
        successor = self._successor
        name = successor.session_id if successor is not None else ""
        url = successor.base_url if successor is not None else None
        where = f" Its address is now {url}." if url else " It waits for its turn in Slurm's queue."
        message = f"The session goes on as {name}.{where}"
        remedy = f"Programs that ask for the address (curc-llm endpoint {name}) find it by the old name too."
        return Ending(
            SessionStatus.ENDED, Trouble(code="handed_over", message=message, remedy=remedy), drain_s
        )


def _name_trouble(error: CurcLlmError) -> str:
    if isinstance(error, NodesDownError):
        return "Slurm can't say when the job to hand over to would start"
    return "Slurm would refuse the job to hand over to"


ENDED_BY_HAND = (
    "The session that was to go on, {name}, was ended by hand, so this one ends at the end of its time. "
    "curc-llm extend submits another."
)
