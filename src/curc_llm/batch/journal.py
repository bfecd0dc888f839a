"""The file of a batch's results: appended to row by row, read when the batch goes on, ordered at its end.

It is its own checkpoint: a row is done when its line is there. Each line is one write, and the file is synced
in bounded intervals, so that a killed process loses nothing that was written, and a lost node at most what
came in the last seconds. A torn last line is cut off.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curc_llm.batch.earlier import Earlier, read_earlier
from curc_llm.batch.line import parse_line
from curc_llm.batch.survey import Survey
from curc_llm.batch.trouble import BatchFileError, BatchStoppedError, describe_unwritable

PROBE_BYTES = 64 * 1024


class Journal:
    """The results of one batch on disk.

    Args:
        path: the file.
        descriptor: the open file.
        earlier: which rows it holds already.
    """

    def __init__(self, path: Path, descriptor: int, earlier: Earlier) -> None:
        self.path = path
        self._descriptor = descriptor
        self._size = earlier.size
        self._offsets: array[int] = earlier.offsets
        self._failed = earlier.failed
        self._in_order = earlier.in_order
        self._last = max((i for i, at in enumerate(self._offsets) if at >= 0), default=-1)
        self._is_dirty = False
        self.num_done = earlier.num_done
        self.num_failed = earlier.num_failed

    def is_settled(self, index: int) -> bool:
        """Whether the row has a line, be it an answer or an error."""
        return self._offsets[index] >= 0

    def is_failed(self, index: int) -> bool:
        """Whether the row's line is an error."""
        return bool(self._failed[index])

    def reopen_failed(self) -> None:
        """Lets failed rows count as not asked; a later line of theirs takes the place of the first."""
        for index, failed in enumerate(self._failed):
            if failed:
                self._offsets[index], self._failed[index] = -1, 0
                self._in_order = False
        self.num_failed = 0

    def append(self, index: int, line: bytes, *, failed: bool) -> None:
        """Writes a row's line.

        Raises:
            BatchStoppedError: the disk is full, or the file can't be written any more.
        """
        try:
            written = os.write(self._descriptor, line)
            while written < len(line):  # a nearly full disk takes a part, and says so at the next attempt
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise self._unwritable(error) from None
        self._in_order = self._in_order and index > self._last
        self._last = max(self._last, index)
        self._offsets[index], self._failed[index] = self._size, failed
        self._size += len(line)
        self._is_dirty = True
        if failed:
            self.num_failed += 1
        else:
            self.num_done += 1

    def sync(self) -> None:
        """Brings what was written to the disk; takes a while, so call it in a thread of its own.

        Raises:
            BatchStoppedError: the disk didn't take it.
        """
        if not self._is_dirty:
            return
        self._is_dirty = False
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._unwritable(error) from None

    def read(self, index: int) -> dict[str, Any] | None:
        """A row's line; None when it has none.

        Raises:
            BatchFileError: somebody changed the file.
        """
        offset = self._offsets[index]
        if offset < 0:
            return None
        parsed = parse_line(self._read_bytes(offset))
        if parsed is None or parsed[0].index != index:
            raise BatchFileError(f"{self.path} was changed by somebody else.", "Run the batch again.")
        return parsed[1]

    def lines(self) -> Iterator[bytes]:
        """All lines in the order of the rows."""
        for offset in self._offsets:
            if offset >= 0:
                yield self._read_bytes(offset)

    def put_in_order(self) -> None:
        """Rewrites the file with the rows in the input's order; the old one stays until the new one is whole.

        Raises:
            BatchFileError: there is no room for it. All results are still there, in the order they came in.
        """
        if self._in_order:
            self.sync()
            return
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            offsets = self._write_ordered(beside)
            beside.replace(self.path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise BatchFileError(
                f"All rows are in {self.path}, but not in order: {error.strerror}.",
                "Make room and run it again; no row is asked again.",
            ) from None
        fresh = _open(self.path)
        os.close(self._descriptor)
        self._descriptor, self._offsets, self._in_order = fresh, offsets, True

    def _write_ordered(self, beside: Path) -> array[int]:
        offsets, place = array("q", [-1]) * len(self._offsets), 0
        mode = os.fstat(self._descriptor).st_mode & 0o777
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:  # noqa: PTH123
            for index, offset in enumerate(self._offsets):
                if offset >= 0:
                    line = self._read_bytes(offset)
                    offsets[index] = place
                    place += file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return offsets

    def _read_bytes(self, offset: int) -> bytes:
        parts: list[bytes] = []
        size, place = 16 * 1024, offset
        while data := os.pread(self._descriptor, size, place):
            end = data.find(b"\n")
            if end >= 0:
                return b"".join([*parts, data[: end + 1]])
            parts.append(data)
            place += len(data)
            size *= 4
        return b"".join(parts)

    def unlock(self) -> None:
        """Lets others write the file; what is in it can still be read here."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the file, and lets others write it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _unwritable(self, error: OSError) -> BatchStoppedError:
        settled = self.num_done + self.num_failed
        return BatchStoppedError(
            f"{describe_unwritable(self.path, error)} {settled:,} of {len(self._offsets):,} rows are done.",
            "Make room and run the same again: it goes on where it stopped.",
            self.path,
        )


def open_journal(path: Path, survey: Survey, *, restart: bool = False, private: bool = False) -> Journal:
    """Opens the results of a batch, old or new, and finds out what is done.

    Args:
        path: the file; made when it isn't there.
        survey: the rows that it is to hold.
        restart: forget what is in it.
        private: make it readable for its owner only.

    Raises:
        BatchFileError: it can't be written, belongs to another batch, or is being written by another.
    """
    try:
        descriptor = _open(path, 0o600 if private else 0o666)
    except OSError as error:
        raise BatchFileError(describe_unwritable(path, error), "Name another file for the results.") from None
    try:
        _lock(descriptor, path)
        if restart:
            os.ftruncate(descriptor, 0)
        earlier = read_earlier(descriptor, path, survey)
        _probe(descriptor, earlier.size)
    except OSError as error:
        os.close(descriptor)
        raise BatchFileError(
            describe_unwritable(path, error), "Make room, or name another file for the results."
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return Journal(path, descriptor, earlier)


def _open(path: Path, mode: int = 0o666) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, mode)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BatchFileError(
            f"Another batch is writing {path} just now.", "Wait for it, or name another file."
        ) from None
    except OSError:
        return  # a file system without locks; two batches on one file are then for people to avoid


def _probe(descriptor: int, size: int) -> None:
    """Makes sure that there is room, before anything is spent; cuts off what is behind `size`."""
    os.ftruncate(descriptor, size)
    try:
        left = PROBE_BYTES
        while left > 0:
            left -= os.write(descriptor, b"\n" * left)
        os.fsync(descriptor)
    finally:
        os.ftruncate(descriptor, size)
