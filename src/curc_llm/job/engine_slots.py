"""The engines of a session: each slot runs one, and another model may take its place."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable

from curc_llm.job.engine_keeper import EngineKeeper
from curc_llm.spec import EngineSpec, LaunchSpec, Origin

MakeKeeper = Callable[[int, LaunchSpec], EngineKeeper]


class EngineSlots:
    """Runs the engines.

    Args:
        spec: the session's.
        make_keeper: makes the keeper of one engine of a spec.
    """

    def __init__(self, spec: LaunchSpec, make_keeper: MakeKeeper) -> None:
        self.spec = spec
        self._make_keeper = make_keeper
        self.keepers = [make_keeper(place, spec) for place in range(len(spec.engines))]
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._surprise: asyncio.Future[None] | None = None

    def refit(self, spec: LaunchSpec) -> None:
        """Takes the spec as it can run on the job's GPUs, before anything runs."""
        self.spec = spec
        self.keepers = [self._make_keeper(place, spec) for place in range(len(spec.engines))]

    async def run(self) -> None:
        """Runs all engines until cancelled; then all have ended.

        Raises:
            Exception: one of those who look after the engines failed, not an engine: nobody would look after
                it any more.
        """
        self._surprise = asyncio.get_running_loop().create_future()
        for place in range(len(self.keepers)):
            self._begin(place)
        try:
            await self._surprise
        finally:
            await self._end(self._tasks)

    async def stop(self, places: Iterable[int]) -> None:
        """Ends engines; their GPUs are free then."""
        await self._end(places)

    def start(self, places: Iterable[int], engines: Iterable[EngineSpec], origins: Iterable[Origin]) -> None:
        """Starts other engines in slots whose own have ended.

        Args:
            places: of the slots.
            engines: what each is to run.
            origins: why.
        """
        now, why = list(self.spec.engines), list(self.spec.origins)
        for place, engine, origin in zip(places, engines, origins, strict=True):
            now[place] = engine
            if place < len(why):
                why[place] = origin
            self.spec = self.spec.model_copy(update={"engines": tuple(now), "origins": tuple(why)})
            self.keepers[place] = self._make_keeper(place, self.spec)
            self._begin(place)

    def _begin(self, place: int) -> None:
        task = self._tasks[place] = asyncio.create_task(self.keepers[place].run())
        task.add_done_callback(self._note_surprise)

    def _note_surprise(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._surprise is not None and not self._surprise.done():
            self._surprise.set_exception(error)

    async def _end(self, places: Iterable[int]) -> None:
        tasks = [self._tasks[place] for place in places if place in self._tasks]
        for task in tasks:
            task.remove_done_callback(self._note_surprise)  # what fails in ending is told below
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                sys.stderr.write(f"While stopping: {result!r}\n")
