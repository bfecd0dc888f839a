"""Open while the session can answer; while it can't, all rows wait here and one task looks after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from curc_llm.batch.link import Link
from curc_llm.batch.progress import RunState, Tracker

FIRST_WAIT_S = 0.5
MAX_WAIT_S = 15.0


class Gate:
    """Where rows wait.

    Args:
        link: the way to the session.
        tracker: is told why nothing goes on.
        fail: is given the error when waiting any longer is pointless.
    """

    def __init__(self, link: Link, tracker: Tracker, fail: Callable[[BaseException], None]) -> None:
        self._link, self._tracker, self._fail = link, tracker, fail
        self._opened = asyncio.Event()
        self._opened.set()
        self._recovery: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether rows may be asked."""
        return self._opened.is_set()

    async def wait(self) -> None:
        """Returns once rows may be asked."""
        await self._opened.wait()

    def close(self, wait_s: float, why: str) -> None:
        """Lets nobody pass until the session can answer again.

        Args:
            wait_s: seconds until it is looked at.
            why: what it said.
        """
        if self._recovery is None or self._recovery.done():
            self._opened.clear()
            self._recovery = asyncio.create_task(self._recover(wait_s, why))

    async def end(self) -> None:
        """Looks no more."""
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)

    async def _recover(self, wait_s: float, why: str) -> None:
        if wait_s:
            self._tracker.set_state(RunState.WAITING, why)
        try:
            pause_s = FIRST_WAIT_S
            await asyncio.sleep(wait_s)
            while said := await self._link.look():
                self._tracker.set_state(RunState.WAITING, said)
                await asyncio.sleep(pause_s)
                pause_s = min(1.5 * pause_s, MAX_WAIT_S)
            await self._link.load_end()
        except Exception as error:  # noqa: BLE001 - whoever runs the batch raises it
            self._fail(error)
            return
        self._tracker.ends_at = self._link.ends_at
        self._tracker.set_state(RunState.ASKING)
        self._opened.set()
