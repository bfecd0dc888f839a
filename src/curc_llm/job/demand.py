"""What a session does with other jobs: replicas while requests wait, a successor, the end with its parent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from curc_llm.errors import CurcLlmError
from curc_llm.gateway.channel import Activity, EngineTarget, Extend, Scale
from curc_llm.job.board import Board
from curc_llm.job.clocks import Clocks
from curc_llm.job.ending import Ending
from curc_llm.job.hand_over import Wish
from curc_llm.job.hand_over_keeper import HandOverKeeper
from curc_llm.job.more_time import MoreTime
from curc_llm.job.other_jobs import OtherJobs
from curc_llm.job.parent_watch import watch_parent
from curc_llm.job.predecessor_watch import watch_predecessor
from curc_llm.job.scale_keeper import ScaleKeeper
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.spec import LaunchSpec

Work = Callable[[], Coroutine[Any, Any, None]]
AGAIN_S = 10.0


class Demand:
    """The part of a Slurm session that deals with other jobs.

    Args:
        spec: of this session, settled.
        paths: its files.
        board: where all is shown.
        clocks: know how much time is left.
        own_sockets: tells the sockets of its own engines that can answer.
        request_end: called when it must end because its parent has, or because another goes on for it.
    """

    def __init__(
        self,
        spec: LaunchSpec,
        paths: SessionPaths,
        board: Board,
        clocks: Clocks,
        own_sockets: Callable[[], list[Path]],
        request_end: Callable[[Ending], None],
    ) -> None:
        self._spec = spec
        self._clocks = clocks
        self._request_end = request_end
        jobs = OtherJobs(paths, board.record)
        self._scale = ScaleKeeper(jobs, board, clocks.left_s, own_sockets)
        self._hand_over = HandOverKeeper(jobs, paths, board, clocks.left_s, request_end)
        self._more_time = MoreTime(jobs, board, clocks)
        self._tasks: list[asyncio.Task[None]] = []
        if board.record.scale is not None:
            self._scale.resume(board.record.scale)

    def start(self) -> list[asyncio.Task[None]]:
        """The tasks that run beside the session."""
        if self._spec.hand_over_s:
            self._hand_over.set_wish(Wish(self._spec.hand_over_s / 3600))
        self._tasks = [asyncio.create_task(_keep_at(work)) for work in self._list_work()]
        return self._tasks

    def _list_work(self) -> list[Work]:
        if self._spec.parent:
            return [lambda: watch_parent(self._spec, self._request_end)]
        work: list[Work] = [self._scale.run, self._hand_over.run]
        if self._spec.predecessor:
            work.append(self._watch_predecessor)
        return work

    async def _watch_predecessor(self) -> None:
        await watch_predecessor(
            self._spec, self._clocks.keep_going, self._request_end, on_taken_over=self._take_over
        )

    def _take_over(self, predecessor: SessionRecord) -> None:
        """What was agreed with the session before this one holds on."""
        if predecessor.scale is not None:
            self._scale.inherit(predecessor.scale)

    def take(self, message: Scale | Extend) -> None:
        """Does what the owner asked for."""
        if isinstance(message, Scale):
            self._scale.set_rules(message)
        else:
            self._tasks.append(asyncio.create_task(self._extend(message)))

    async def _extend(self, message: Extend) -> None:
        if message.is_now or not await self._more_time.ask(message.hours):
            self._hand_over.set_wish(Wish(message.hours, message.is_now))

    def note_use(self, activity: Activity) -> None:
        """Takes what the gateway says about the models' use."""
        self._scale.note_use(activity)

    @property
    def serves_itself(self) -> bool:
        """Whether the session's own engines get requests: not once another answers for it."""
        return not self._hand_over.is_done

    def targets(self) -> list[EngineTarget]:
        """Engines in other jobs that the gateway may send requests to."""
        return [*self._scale.targets(), *self._hand_over.targets()]

    async def close(self, end: Ending) -> Ending:
        """Leaves a successor in charge, or ends it with this session; the ending that is to be told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return await self._hand_over.close(end)

    async def end_replicas(self) -> None:
        """Cancels the replicas, once nothing that they answer is waited for any more."""
        await self._scale.close()


async def _keep_at(work: Work) -> None:
    """What goes wrong with other jobs is told in the job's log and tried again; the session goes on."""
    while True:
        try:
            await work()
        except (CurcLlmError, OSError, ValueError) as error:
            sys.stderr.write(f"Other jobs: {error!r}; it is tried again in {AGAIN_S:.0f} s.\n")
        else:
            return
        await asyncio.sleep(AGAIN_S)
