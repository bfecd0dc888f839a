"""Server-sent events: bytes in any pieces → the `data` of whole events."""

from __future__ import annotations


class EventParser:
    r"""Collects bytes and gives back the data of each event that is complete.

    Comments (heartbeats), other fields and empty events are left out. Follows the HTML standard, 9.2.6.

    Example:
        >>> parser = EventParser()
        >>> parser.feed(b"data: a"), parser.feed(b"b\n\n: beat\n\n")
        ([], ['ab'])
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[str]:
        """Takes the next bytes; returns the events that they complete."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        events: list[str] = []
        for line in lines:
            self._take(line.removesuffix(b"\r"), events)
        return events

    def _take(self, line: bytes, events: list[str]) -> None:
        if not line:
            if self._data:
                events.append("\n".join(self._data))
                self._data = []
        elif line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" ").decode("utf-8", "replace"))
