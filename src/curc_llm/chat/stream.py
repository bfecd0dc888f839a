"""An answer as a stream of updates: the first token at once, then few enough for a browser to follow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from curc_llm.chat.answer import Answer
from curc_llm.chat.gateway_client import GatewayClient, GatewayError

UPDATE_S = 0.1
UPDATE_CROWDED_S = 0.25
CROWD_STREAMS = 50
SILENCE_S = 1.0


class Pace:
    """How long to wait between two updates of a page: longer while many people are being answered.

    Measured: with 100 ms up to 50 streams and 250 ms above, 100 users at 100 tokens/s don't fall behind.
    """

    def __init__(self) -> None:
        self.streams = 0

    @property
    def interval_s(self) -> float:
        """Seconds between two updates of one page."""
        return UPDATE_S if self.streams <= CROWD_STREAMS else UPDATE_CROWDED_S

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
    """

    def __init__(self, client: GatewayClient, body: dict[str, Any], user: str, pace: Pace) -> None:
        self._client = client
        self._body = body
        self._user = user
        self._pace = pace
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
                        await asyncio.wait({self._task}, timeout=self._pace.interval_s)
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        yield self.answer

    async def _wait_for_change(self) -> None:
        # Gradio notices that a tab was closed when it sends to it, so a silent stream sends now and then.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), SILENCE_S)
        self._changed.clear()

    async def _read(self) -> None:
        events = self._client.stream_completion(self._body, self._user)
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    if self.answer.add(event, time.monotonic()):
                        self._changed.set()
        except GatewayError as problem:
            self.answer.problem = problem
