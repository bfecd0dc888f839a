"""Opening a chat's files: never through a link, never somebody else's, never without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from curc_llm.chats.errors import ChatFileError, ChatNotFoundError, explain_unwritten

MOST_BYTES = 256 * 2**20  # a chat that is longer isn't opened; 20,000 tokens are about 0.1 MiB
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_TO_READ = os.O_RDONLY | os.O_NONBLOCK | _NO_LINK  # a pipe of that name would otherwise wait for ever
_TO_ADD = os.O_RDWR | os.O_APPEND | _NO_LINK


def read_file(path: Path | str, most_bytes: int | None = None) -> bytes:
    """The bytes of a chat's file.

    Args:
        path: the file.
        most_bytes: read no more than these, however long it is.

    Raises:
        ChatNotFoundError: there is none.
        ChatFileError: it can't be read, or is no ordinary file of ours, or is longer than `MOST_BYTES`.
    """
    try:
        descriptor = os.open(path, _TO_READ)
    except FileNotFoundError:
        raise ChatNotFoundError(f"{path} can't be read: there is none.", "Name the file of a chat.") from None
    except OSError as error:
        raise ChatFileError(f"{path} can't be read: {error.strerror}.", "Name the file of a chat.") from error
    try:
        return _read_all(path, descriptor) if most_bytes is None else os.read(descriptor, most_bytes)
    except OSError as error:
        raise ChatFileError(f"{path} can't be read: {error.strerror}.", "Name the file of a chat.") from error
    finally:
        os.close(descriptor)


def _read_all(path: Path | str, descriptor: int) -> bytes:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise ChatFileError(f"{path} is no file.", "Name the file of a chat.")
    if found.st_size > MOST_BYTES:
        raise ChatFileError(
            f"{path} has {found.st_size / 2**20:,.0f} MiB; at most {MOST_BYTES // 2**20} MiB are opened.",
            "Look into it with other tools, or delete it: curc-llm chats rm",
        )
    data = os.read(descriptor, found.st_size + 1)
    if len(data) == found.st_size:
        return data
    pieces = [data]
    while len(data := os.read(descriptor, 2**20)) and sum(map(len, pieces)) <= MOST_BYTES:
        pieces.append(data)
    return b"".join(pieces)


def add_to_file(path: Path, data: bytes, *, is_new: bool = False, is_synced: bool = False) -> None:
    """Adds whole lines in one write, below a line that somebody left torn.

    Args:
        path: the file.
        data: the lines.
        is_new: make the file; it must not be there. Its folder is made too, for its owner alone.
        is_synced: return when the disk has it, not only the kernel.

    Raises:
        ChatFileError: it can't be written; the disk may be full.
        ChatNotFoundError: it isn't there any more.
        FileExistsError: it is there, though it should be new.
    """
    try:
        if is_new:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, _TO_ADD | (os.O_CREAT | os.O_EXCL if is_new else 0), 0o600)
    except FileExistsError:
        raise
    except FileNotFoundError:
        raise ChatNotFoundError(
            f"The chat in {path} was removed by somebody else.", "Export it here, or begin a new one."
        ) from None
    except OSError as error:
        raise explain_unwritten(path, error) from error
    try:
        try:
            _write(descriptor, _mend(descriptor) + data)
            if is_synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)  # where NFS first tells that a quota is used up
    except OSError as error:
        raise explain_unwritten(path, error) from error


def open_part(path: Path) -> int:
    """A new file for an answer's pieces.

    Raises:
        OSError: it can't be made.
    """
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600)


def _mend(descriptor: int) -> bytes:
    """A line feed, when the last line was cut off."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
        return b""
    return b"" if os.pread(descriptor, 1, found.st_size - 1) == b"\n" else b"\n"


def _write(descriptor: int, data: bytes) -> None:
    """Writes all or raises. What is written of a line when the disk is full stays torn, and is skipped."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])
