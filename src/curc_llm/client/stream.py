"""An answer that arrives piece by piece."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from curc_llm.client.answer import Answer, Usage, make_usage, read_reasoning
from curc_llm.client.failure import explained
from curc_llm.client.source import Source
from curc_llm.errors import ApiError, CurcLlmError


@dataclass(frozen=True)
class Piece:
    """A part of an answer: `text`, or `reasoning` that comes before it."""

    kind: Literal["text", "reasoning"]
    text: str


class Stream:
    """Iterates over an answer's text as it is written. Closing it, or leaving it unread, ends the generation.

    Example:
        >>> with session.stream("Tell me a story") as stream:      # doctest: +SKIP
        ...     for piece in stream:
        ...         print(piece, end="")
        >>> stream.answer.usage                                    # doctest: +SKIP
    """

    def __init__(self, raw: Any, source: Source) -> None:
        self._raw = raw
        self._source = source
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._model = ""
        self._closed = False

    @property
    def answer(self) -> Answer:
        """The answer so far; whole once the stream has been read to its end."""
        return Answer(
            "".join(self._texts),
            reasoning="".join(self._thoughts),
            usage=self._usage,
            finish_reason=self._finish_reason,
            model=self._model,
        )

    def pieces(self) -> Iterator[Piece]:
        """Text and reasoning in the order in which they arrive."""
        # Made anew each time and never kept: a stream that held its own reader would outlive its last user.
        try:
            with explained(self._source):
                for chunk in () if self._closed else self._raw:
                    yield from self._take(chunk)
        except CurcLlmError:
            if not self._closed:  # closed while it was read, by another thread: that is an end, not a failure
                raise
        if self._finish_reason is None and not self._closed:
            raise ApiError(
                "The answer broke off before its end.", f"Look at: curc-llm status {self._source.name}"
            )

    def close(self) -> None:
        """Ends the generation, if it still runs. What has arrived stays in `answer`."""
        self._closed = True
        self._raw.close()

    def __iter__(self) -> Iterator[str]:
        return (piece.text for piece in self.pieces() if piece.kind == "text")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A `for` that is left with `break` forgets the stream; the model would write on for nobody.
        with contextlib.suppress(Exception):
            self._raw.close()

    def _take(self, chunk: Any) -> Iterator[Piece]:
        self._model = chunk.model or self._model
        self._usage = make_usage(chunk.usage) or self._usage
        for choice in chunk.choices[:1]:
            self._finish_reason = choice.finish_reason or self._finish_reason
            yield from self._keep("reasoning", read_reasoning(choice.delta), self._thoughts)
            yield from self._keep("text", choice.delta.content or "", self._texts)

    def _keep(self, kind: Literal["text", "reasoning"], text: str, kept: list[str]) -> Iterator[Piece]:
        if text:
            kept.append(text)
            yield Piece(kind, text)
