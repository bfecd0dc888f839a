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

    def refit(self, spec: LaunchSpec) -> None:
        """Takes the spec as it can run on the job's GPUs, before anything runs."""
        self.spec = spec
        self.keepers = [self._make_keeper(place, spec) for place in range(len(spec.engines))]

    async def run(self) -> None:
        """Runs all engines until cancelled; then all have ended."""
        for place, keeper in enumerate(self.keepers):
            self._tasks[place] = asyncio.create_task(keeper.run())
        try:
            await asyncio.Event().wait()
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
            keeper = self.keepers[place] = self._make_keeper(place, self.spec)
            self._tasks[place] = asyncio.create_task(keeper.run())

    async def _end(self, places: Iterable[int]) -> None:
        tasks = [self._tasks[place] for place in places if place in self._tasks]
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                sys.stderr.write(f"While stopping: {result!r}\n")
