"""Limits how often something is shown, without losing the last state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

EVERY_S = 0.1


class Pace:
    """Calls a function at most ten times a second, from any thread; the last wish is always granted.

    Args:
        call: what is called; never twice at the same time.
        every_s: seconds between two calls.

    Example:
        >>> shown = []
        >>> pace = Pace(lambda: shown.append(1))
        >>> pace.ask()
        >>> pace.flush()
        >>> len(shown) >= 1
        True
    """

    def __init__(self, call: Callable[[], None], every_s: float = EVERY_S) -> None:
        self._call = call
        self._every_s = every_s
        self._calling = threading.Lock()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._called_at = float("-inf")
        self._closed = False

    def ask(self) -> None:
        """Calls it now, if the last call is long enough ago, else when it is."""
        with self._lock:
            if self._timer is not None or self._closed:
                return
            wait_s = self._called_at + self._every_s - time.monotonic()
            if wait_s > 0:
                self._timer = threading.Timer(wait_s, self.flush)
                self._timer.daemon = True
                self._timer.start()
                return
        self.flush()

    def flush(self) -> None:
        """Calls it now."""
        with self._calling:
            with self._lock:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer, self._called_at = None, time.monotonic()
                if self._closed:
                    return
            self._call()

    def close(self) -> None:
        """Nothing is called from now on."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
