"""One thread that writes down the pieces of all answers of this process, a few times a second."""

from __future__ import annotations

import atexit
import threading
import time
from typing import Protocol

# A crash may cost what came in the last 100 ms: the thread sleeps this long, and a write takes some time too.
EVERY_S = 0.05


class Writes(Protocol):
    """Something that has pieces to write."""

    def flush(self) -> None:
        """Writes what has come; never raises."""


class Flusher:
    """Writes in a thread, so that a slow file system never holds up whoever adds a piece.

    Args:
        every_s: longest time that a piece waits, in seconds.

    Example:
        >>> flusher.soon(answer)          # costs about a microsecond     # doctest: +SKIP
    """

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._lock = threading.Lock()
        self._waiting: dict[Writes, None] = {}
        self._is_due = threading.Event()
        self._thread: threading.Thread | None = None

    def soon(self, one: Writes) -> None:
        """Writes this one down within `every_s`."""
        with self._lock:
            self._waiting[one] = None
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="curc-llm chats", daemon=True)
                self._thread.start()
        self._is_due.set()

    def flush(self) -> None:
        """Writes all that waits, now."""
        self._is_due.clear()
        with self._lock:
            due, self._waiting = list(self._waiting), {}
        for one in due:
            one.flush()

    def _run(self) -> None:
        while True:
            self._is_due.wait()
            time.sleep(self._every_s)
            self.flush()


flusher = Flusher()
atexit.register(flusher.flush)
