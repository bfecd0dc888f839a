"""JSONL files that a thread writes, so that neither a slow nor a full disk can hold up or fail a request."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any

_FLUSH_S = 0.2
# Lines that wait while the disk is slow; more are dropped and counted.
_MAX_WAITING = 20_000
_render = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class JsonlFile:
    """Lines for one file of mode 0600; `LogWriter` writes them.

    Args:
        path: the file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[str] = deque()
        self.dropped = 0
        self._broken_line = False

    def append(self, line: dict[str, Any]) -> None:
        """Takes a line; returns at once.

        It is rendered here: a thread that renders would hold Python's lock while tokens wait.
        """
        if len(self._waiting) >= _MAX_WAITING:
            self.dropped += 1
        else:
            self._waiting.append(_render(line))

    def flush(self) -> None:
        """Writes what waits. What the disk doesn't take is dropped and counted, never raised."""
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not lines:
            return
        data = ("\n" * self._broken_line + "\n".join(lines) + "\n").encode("utf-8", "replace")
        try:
            written = self._write(data)
        except OSError:
            written = 0
        if written < len(data):
            self.dropped += data.count(b"\n", written)
            self._broken_line = self._broken_line or written > 0
        else:
            self._broken_line = False

    def _write(self, data: bytes) -> int:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return os.write(descriptor, data)
        finally:
            os.close(descriptor)


class LogWriter:
    """The thread that writes the files, five times a second."""

    def __init__(self, files: list[JsonlFile]) -> None:
        self._files = files
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(_FLUSH_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        for file in self._files:
            file.flush()

    def close(self, wait_s: float = 2.0) -> None:
        """Writes what waits, and ends; doesn't wait for ever for a disk that hangs."""
        self._stop.set()
        self._thread.join(wait_s)
