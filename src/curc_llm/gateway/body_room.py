"""Memory for the bodies of requests that wait, whatever they wait for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class BodyRoom:
    """Counts bytes of bodies that are kept while their requests wait.

    Args:
        most_bytes: that all of them may take together.

    Example:
        >>> room = BodyRoom(10)
        >>> with room.hold(8):
        ...     room.has_room(3)
        False
        >>> room.has_room(3)
        True
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may be kept."""
        return self._bytes + size <= self._most_bytes

    @contextlib.contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Counts them while the block runs."""
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size
