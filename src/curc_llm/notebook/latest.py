"""Latest: slow work in a thread of its own, always for the latest wish only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Calls a function in a thread. What is asked meanwhile waits, and only the last of it is done.

    The thread lives only while there is work, so none is left when a kernel shuts down.

    Args:
        call: what is done; must handle its own errors.

    Example:
        >>> done = []
        >>> latest = Latest(done.append)
        >>> latest.ask(1)
        >>> latest.wait(5), done
        (True, [1])
    """

    def __init__(self, call: Callable[[T], None]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._wishes: list[T] = []
        self._idle = threading.Event()
        self._idle.set()

    def ask(self, wish: T) -> None:
        """Has this done, unless something newer is asked before its turn."""
        with self._lock:
            self._wishes = [wish]
            if not self._idle.is_set():
                return
            self._idle.clear()
        threading.Thread(target=self._run, name="curc-llm-latest", daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """Waits until nothing is left to do; False when that isn't so in time."""
        return self._idle.wait(timeout_s)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._wishes:
                    self._idle.set()
                    return
                wish = self._wishes.pop()
            self._call(wish)
