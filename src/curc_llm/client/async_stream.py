"""An answer that arrives piece by piece, for code that runs in an event loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from curc_llm.client.answer import Answer
from curc_llm.client.draft import Draft, Piece
from curc_llm.client.failure import explain_cut, explained
from curc_llm.client.source import Source


class AsyncStream:
    """Iterates over an answer's text as it is written. The question is sent when reading begins.

    Closing it, leaving its `async with`, or cancelling the task that reads it ends the generation.

    Example:
        >>> async with session.astream("Tell me a story") as stream:     # doctest: +SKIP
        ...     async for piece in stream:
        ...         print(piece, end="")
        >>> stream.answer.usage                                          # doctest: +SKIP
    """

    def __init__(self, send: Callable[[], Awaitable[Any]], source: Source) -> None:
        self._send = send
        self._source = source
        self._raw: Any = None
        self._draft = Draft()
        self._closed = False

    @property
    def answer(self) -> Answer:
        """The answer so far; whole once the stream has been read to its end."""
        return self._draft.answer

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Text and reasoning in the order in which they arrive."""
        if self._closed:
            return
        try:
            with explained(self._source):
                self._raw = await self._send() if self._raw is None else self._raw
                async for chunk in self._raw:
                    for piece in self._draft.take(chunk):
                        yield piece
        except Exception:
            if not self._closed:  # closed while it was read, by another task: that is an end, not a failure
                raise
        finally:
            # A reader that leaves early, or whose task is cancelled, must not leave the model writing.
            await self._hang_up()
        if self._draft.finish_reason is None and not self._closed:
            raise explain_cut(self._source)

    async def close(self) -> None:
        """Ends the generation, if it still runs. What has arrived stays in `answer`."""
        self._closed = True
        await self._hang_up()

    async def _hang_up(self) -> None:
        if self._raw is not None:
            with contextlib.suppress(Exception):
                await self._raw.close()

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        async with contextlib.aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                if piece.kind == "text":
                    yield piece.text

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
