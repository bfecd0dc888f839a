"""An answer while it is being written."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from curc_llm.chats.errors import ChatFileError, explain_unwritten
from curc_llm.chats.files import open_part
from curc_llm.chats.flusher import Flusher, flusher
from curc_llm.chats.lines import join
from curc_llm.chats.message import UNFINISHED, Message

RETRY_S = 1.0  # after a failed write


class AnswerWriter:
    """Keeps an answer as it comes: `add` costs microseconds, a thread writes within 50 ms.

    Nothing here raises because of the disk: the answer goes on in memory, and `trouble` says what is wrong.

    Args:
        message: the answer as it begins, without text.
        path: the file of its pieces, made when the first comes.
        keep: saves the whole answer; True when it is on disk.

    Example:
        >>> with writer.begin_answer(model="llama") as answer:        # doctest: +SKIP
        ...     for piece in stream:
        ...         answer.add(piece)
        ...     answer.end(finish_reason="stop", completion_tokens=12)
    """

    def __init__(
        self, message: Message, path: Path, keep: Callable[[Message], bool], pace: Flusher = flusher
    ) -> None:
        self.message = message
        self.trouble: ChatFileError | None = None
        self._path, self._keep, self._pace = path, keep, pace
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._new: list[tuple[str, str]] = []
        self._unwritten = join([message.to_head()])
        self._descriptor = -1
        self._not_before = 0.0
        self._is_over = False
        self._adding = threading.Lock()
        self._writing = threading.Lock()

    def add(self, text: str) -> None:
        """Adds a piece of the answer's text."""
        self._add("part", self._texts, text)

    def add_thought(self, text: str) -> None:
        """Adds a piece of the model's reasoning."""
        self._add("thought", self._thoughts, text)

    def end(self, status: str = "done", **facts: Any) -> Message:
        """Saves the whole answer. Waits for the disk, so not for an event loop's thread.

        Args:
            status: `done`, `stopped` or `failed`.
            facts: what is known now: `finish_reason`, `completion_tokens`, `trouble`, …

        Returns:
            The answer; the same one when it had ended before.
        """
        with self._writing:
            if self._is_over:
                return self.message
            self._is_over = True
            message = replace(self._look(), status=status, facts={**self.message.facts, **facts})
            self.message = message
            is_kept = self._keep(message)
            if not is_kept:
                self._write()  # the pieces stay for a reader; the whole answer waits in memory
            self._close(is_kept)
        return message

    def flush(self) -> None:
        """Writes down what has come."""
        with self._writing:
            if not self._is_over:
                self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_over:
            self.end("stopped" if kind is None or not issubclass(kind, Exception) else "failed")

    def _add(self, kind: str, whole: list[str], text: str) -> None:
        if not text or self._is_over:
            return
        with self._adding:
            whole.append(text)
            self._new.append((kind, text))
        self._pace.soon(self)

    def _look(self) -> Message:
        with self._adding:
            texts, thoughts = "".join(self._texts), "".join(self._thoughts)
        return replace(self.message, content=texts, reasoning=thoughts, status=UNFINISHED)

    def _write(self) -> None:
        with self._adding:
            new, self._new = self._new, []
        self._unwritten += join({kind: text} for kind, text in _join_neighbours(new))
        if time.monotonic() < self._not_before:
            self._pace.soon(self)
            return
        try:
            if self._descriptor < 0:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._descriptor = open_part(self._path)
            while self._unwritten:
                self._unwritten = self._unwritten[os.write(self._descriptor, self._unwritten) :]
            self.trouble = None
        except OSError as error:
            self.trouble = explain_unwritten(self._path, error)
            self._not_before = time.monotonic() + RETRY_S
            if not self._is_over:
                self._pace.soon(self)

    def _close(self, is_kept: bool) -> None:
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = -1
        if is_kept:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def _join_neighbours(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    joined: list[tuple[str, list[str]]] = []
    for kind, text in pieces:
        if joined and joined[-1][0] == kind:
            joined[-1][1].append(text)
        else:
            joined.append((kind, [text]))
    return [(kind, "".join(texts)) for kind, texts in joined]
