"""The engine's log file: written by the engine itself, read as it grows, kept private and within bounds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 50 * 1024 * 1024
TAIL_BYTES = 64 * 1024


class EngineLog:
    """One engine's log file, mode 0600. The engine writes; this object reads and cuts.

    A start after a crash goes on in the same file: `mark_start` says where its part begins.

    Args:
        path: the file; it is made when it doesn't exist.

    Raises:
        OSError: the folder can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Appending, so that the file can be cut while the engine holds it open.
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.fchmod(self._descriptor, 0o600)
        self._read_to = 0
        self.mark_start()

    def fileno(self) -> int:
        """The descriptor that the engine writes to."""
        return self._descriptor

    def mark_start(self) -> None:
        """From here on the log belongs to a new start; what stands before is no longer read."""
        self._start = self._read_to = self._size()

    def read_new(self) -> str:
        """What was written since the last call; broken characters are replaced."""
        if self._size() < self._read_to:
            self._start = self._read_to = 0  # cut by `rotate`, or by someone else
        data = os.pread(self._descriptor, 1 << 20, self._read_to)
        self._read_to += len(data)
        return data.decode("utf-8", errors="replace")

    def read_tail(self, max_bytes: int = TAIL_BYTES) -> str:
        """The end of what this start has written, for the diagnosis."""
        begin = max(min(self._start, self._size()), self._size() - max_bytes)
        return os.pread(self._descriptor, max_bytes, begin).decode("utf-8", errors="replace")

    def rotate(self, max_bytes: int = MAX_LOG_BYTES) -> bool:
        """Once the log is larger than `max_bytes`, keeps it as `NAME.1` and starts over; True if it did.

        The engine goes on writing to the same file; what it writes during the copy may be lost.
        """
        if self._size() <= max_bytes:
            return False
        kept = self.path.with_name(self.path.name + ".1")
        try:
            shutil.copyfile(self.path, kept)
            kept.chmod(0o600)
        except OSError:
            kept.unlink(missing_ok=True)  # a full disk is helped most by the cut alone
        os.ftruncate(self._descriptor, 0)
        self._start = self._read_to = 0
        return True

    def close(self) -> None:
        """Closes this side; the engine's own stays open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size
