"""What a session does with other jobs: replicas while requests wait, and the end with its parent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from curc_llm.errors import CurcLlmError
from curc_llm.gateway.channel import Activity, EngineTarget, Extend, Scale
from curc_llm.job.board import Board
from curc_llm.job.clocks import Clocks
from curc_llm.job.ending import Ending
from curc_llm.job.other_jobs import OtherJobs
from curc_llm.job.parent_watch import watch_parent
from curc_llm.job.scale_keeper import ScaleKeeper
from curc_llm.session.paths import SessionPaths
from curc_llm.spec import LaunchSpec


class Demand:
    """The part of a Slurm session that deals with other jobs.

    Args:
        spec: of this session, settled.
        paths: its files.
        board: where all is shown.
        clocks: know how much time is left.
        own_sockets: tells the sockets of its own engines that can answer.
        request_end: called when it must end because its parent has.
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
        self._request_end = request_end
        self._scale: ScaleKeeper | None = None
        try:
            jobs = OtherJobs(paths, board.record)
        except CurcLlmError as error:  # then there are no other jobs; the session itself needs none
            sys.stderr.write(f"No other job can be started from here: {error.message}\n")
            return
        self._scale = ScaleKeeper(jobs, board, clocks.left_s, own_sockets)

    def start(self) -> list[asyncio.Task[None]]:
        """The tasks that run beside the session."""
        tasks = [watch_parent(self._spec, self._request_end)] if self._spec.parent else []
        tasks += [self._scale.run()] if self._scale is not None else []
        return [asyncio.create_task(task) for task in tasks]

    def take(self, message: Scale | Extend) -> None:
        """Does what the owner asked for."""
        if isinstance(message, Scale) and self._scale is not None:
            self._scale.set_rules(message)

    def note_use(self, activity: Activity) -> None:
        """Takes what the gateway says about the models' use."""
        if self._scale is not None:
            self._scale.note_use(activity)

    def targets(self) -> list[EngineTarget]:
        """Engines in other jobs that the gateway may send requests to."""
        return self._scale.targets() if self._scale is not None else []

    async def close(self) -> None:
        """Ends the other jobs that are of no use without this session."""
        if self._scale is not None:
            await self._scale.close()
