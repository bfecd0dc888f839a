"""An answer that arrives piece by piece."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from curc_llm.client.answer import Answer
from curc_llm.client.draft import Draft, Piece
from curc_llm.client.failure import explain_cut, explained
from curc_llm.client.source import Source
from curc_llm.errors import CurcLlmError

__all__ = ["Piece", "Stream"]


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
        self._draft = Draft()
        self._closed = False

    @property
    def answer(self) -> Answer:
        """The answer so far; whole once the stream has been read to its end."""
        return self._draft.answer

    def pieces(self) -> Iterator[Piece]:
        """Text and reasoning in the order in which they arrive."""
        # Made anew each time and never kept: a stream that held its own reader would outlive its last user.
        try:
            with explained(self._source):
                for chunk in () if self._closed else self._raw:
                    yield from self._draft.take(chunk)
        except CurcLlmError:
            if not self._closed:  # closed while it was read, by another thread: that is an end, not a failure
                raise
        if self._draft.finish_reason is None and not self._closed:
            raise explain_cut(self._source)

    def close(self) -> None:
        """Ends the generation, if it still runs. What has arrived stays in `answer`."""
        self._closed = True
        if self._draft.finish_reason is None:
            hang_up(self._raw.response)
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


def hang_up(response: Any) -> None:
    """Ends a response's connection, so that another thread that waits for its next byte wakes up.

    Closing alone doesn't: Linux keeps a socket open while somebody reads from it, and the engine would go on
    until its next token. Only for a response that isn't whole: a whole one's connection is others' already.

    Args:
        response: httpx's.
    """
    with contextlib.suppress(Exception):
        if not response.is_closed:
            response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
