"""An answer as a stream of updates: the first token at once, then few enough for a browser to follow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

from curc_llm.chat.answer import Answer
from curc_llm.chat.gateway_client import GatewayClient, GatewayError

UPDATE_S = 0.1
# Of all pages together. An update costs about a millisecond of CPU, and the process has one core.
MOST_UPDATES_PER_S = 250
# Above this share of a core, or when the loop comes so much too late (others use the core), updates become
# rarer still: else somebody's first token waits for them.
BUSY_CORES = 0.5
LATE_S = 0.02
MOST_SLOWER = 4.0
LOOK_S = 0.25
SILENCE_S = 1.0
# How long what the engine sends may gather. A crash may cost the last 100 ms, of which the file takes 50.
REST_S = 0.02
MOST_REST_S = 0.04


class Pace:
    """How long to wait between two updates of a page: longer while many people are being answered.

    Up to 25 streams 100 ms, with 100 streams 400 ms; up to four times that while the process has more to do
    than it can. So a hundred users at 100 tokens/s don't fall behind.

    Args:
        measure_cpu_s: CPU seconds that the process has used.
    """

    def __init__(self, measure_cpu_s: Callable[[], float] = time.process_time) -> None:
        self.streams = 0
        self._measure_cpu_s = measure_cpu_s
        self._slower = 1.0
        self._late_s = 0.0
        self._looked = (time.monotonic(), measure_cpu_s())

    @property
    def interval_s(self) -> float:
        """Seconds between two updates of one page."""
        self._look()
        return max(UPDATE_S, self.streams / MOST_UPDATES_PER_S) * self._slower

    def note_late(self, late_s: float) -> None:
        """An update came so much later than it was meant to, in seconds."""
        self._late_s += 0.1 * (late_s - self._late_s)

    def _look(self) -> None:
        before, spent_s = self._looked
        passed_s = time.monotonic() - before
        if passed_s >= LOOK_S:
            self._looked = (before + passed_s, self._measure_cpu_s())
            cores = (self._looked[1] - spent_s) / passed_s
            change = min(1.5, max(0.8, cores / BUSY_CORES, self._late_s / LATE_S))
            self._slower = min(MOST_SLOWER, max(1.0, self._slower * change))

    @property
    def rest_s(self) -> float:
        """Seconds between two looks at what the engine sends; 20 ms, with a hundred streams 40 ms."""
        return min(MOST_REST_S, REST_S * (1 + self.streams / 100))

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Counts a stream for as long as the block runs."""
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1


class AnswerStream:
    """One generation: reads its events and hands out the growing answer.

    Args:
        client: who to ask.
        body: the request as the OpenAI API has it.
        user: in whose name.
        pace: shared by all streams of this process.
        grow: called with the answer whenever something of it came, before it is shown.
    """

    def __init__(
        self,
        client: GatewayClient,
        body: dict[str, Any],
        user: str,
        pace: Pace,
        grow: Callable[[Answer], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._body = body
        self._user = user
        self._pace = pace
        self._grow = grow
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.answer = Answer(model=str(body.get("model", "")))

    def stop(self) -> None:
        """Ends the generation; what came so far stays, and `updates` ends soon after."""
        self.answer.stopped = True
        if self._task is not None:
            self._task.cancel()

    async def updates(self) -> AsyncGenerator[Answer]:
        """Yields the one answer again and again as it grows, each second of silence, and when it is complete.

        Closing this iterator (the tab was closed) closes the connection, which ends the generation.
        """
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(lambda _: self._changed.set())
        if self.answer.stopped:
            self._task.cancel()
        try:
            with self._pace.counted():
                while not self._task.done():
                    await self._wait_for_change()
                    if not self._task.done():
                        yield self.answer
                        await self._rest()
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        yield self.answer

    async def _rest(self) -> None:
        interval_s, began = self._pace.interval_s, time.monotonic()
        await asyncio.wait({self._task} if self._task else (), timeout=interval_s)
        self._pace.note_late(max(0.0, time.monotonic() - began - interval_s))

    def _find_rest_s(self) -> float:
        return 0.0 if self.answer.is_empty else self._pace.rest_s

    async def _wait_for_change(self) -> None:
        # Gradio notices that a tab was closed when it sends to it, so a silent stream sends now and then.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), SILENCE_S)
        self._changed.clear()

    async def _read(self) -> None:
        batches = self._client.stream_completion(self._body, self._user, self._find_rest_s)
        try:
            async with contextlib.aclosing(batches):
                async for events in batches:
                    now = time.monotonic()
                    grown = [self.answer.add(event, now) for event in events]
                    if any(grown):
                        self._grow(self.answer)
                        self._changed.set()
        except GatewayError as problem:
            self.answer.problem = problem
