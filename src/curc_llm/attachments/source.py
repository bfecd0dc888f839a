"""Opening what somebody named: never waiting for a pipe, never reading without end."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from curc_llm.attachments.errors import READABLE, AttachmentError
from curc_llm.attachments.limits import MIB
from curc_llm.attachments.sizes import render_size

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_FILES = (
    (stat.S_ISDIR, "a folder", "Name a file in it."),
    (stat.S_ISFIFO, "a pipe", "Save what comes out of it to a file first."),
    (stat.S_ISSOCK, "a socket", "Name a file."),
    (stat.S_ISCHR, "a device", "Name a file."),
    (stat.S_ISBLK, "a device", "Name a file."),
)


@dataclass(frozen=True)
class Source:
    """An open regular file.

    Args:
        descriptor: of the file.
        name: for people.
        num_bytes: its size when it was opened.
    """

    descriptor: int
    name: str
    num_bytes: int

    def read(self, num_bytes: int, at: int = 0) -> bytes:
        """Up to so many bytes from a place.

        Raises:
            AttachmentError: the file can't be read on.
        """
        pieces: list[bytes] = []
        while num_bytes > 0:
            try:
                data = os.pread(self.descriptor, min(num_bytes, MIB), at)
            except OSError as error:
                raise _explain(self.name, error) from error
            if not data:
                break
            pieces.append(data)
            num_bytes -= len(data)
            at += len(data)
        return b"".join(pieces)

    def read_end(self, num_bytes: int) -> bytes:
        """The last bytes."""
        return self.read(num_bytes, max(0, self.num_bytes - num_bytes))

    def read_all(self, most_bytes: int, what: str) -> bytes:
        """The whole file.

        Args:
            most_bytes: what it may have.
            what: its kind in words, for the refusal.

        Raises:
            AttachmentError: it has more.
        """
        data = self.read(most_bytes + 1) if self.num_bytes <= most_bytes else b""
        if self.num_bytes > most_bytes or len(data) > most_bytes:
            size = max(self.num_bytes, len(data))
            raise AttachmentError(
                f"{self.name} has {render_size(size)}; "
                f"{what} of up to {render_size(most_bytes)} can be read.",
                "Attach a part of it.",
            )
        return data


@contextmanager
def open_source(path: Path, name: str) -> Iterator[Source]:
    """Opens a file for reading, with the rights of this process, through links too.

    Args:
        path: the file.
        name: what it is called in errors.

    Raises:
        AttachmentError: there is none, it is no regular file, or this user may not read it.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise _explain(name, error) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _explain_kind(name, found.st_mode)
        yield Source(descriptor, name, found.st_size)
    finally:
        os.close(descriptor)


def _explain_kind(name: str, mode: int) -> AttachmentError:
    what, remedy = next(((w, r) for is_it, w, r in _NO_FILES if is_it(mode)), ("no file", "Name a file."))
    return AttachmentError(f"{name} is {what}, not a file.", remedy)


def _explain(name: str, error: OSError | ValueError) -> AttachmentError:
    if isinstance(error, ValueError):  # a NUL in the path, or half a character
        return AttachmentError(f"{name} can't be read: no file can have such a name.", "Check the path.")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return AttachmentError(f"{name} can't be read: there is no such file.", "Check the path.")
    if isinstance(error, PermissionError):
        return AttachmentError(
            f"{name} can't be read: you have no permission.", "Ask its owner, or attach a copy that is yours."
        )
    if error.errno == errno.ENXIO:  # how opening a socket fails
        return AttachmentError(f"{name} is a socket, not a file.", f"Name a file. {READABLE}")
    return AttachmentError(f"{name} can't be read: {error.strerror}.", "Try again, or attach a copy of it.")
