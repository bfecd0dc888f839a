"""Following a session's name to the job that answers for it now: hand-overs leave it in the record."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from curc_llm.session.keys import KeyList, lock_keys, read_keys, write_keys
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import read_record

_SESSION_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")
# More hand-overs than anybody makes: a circle in broken records must end somewhere.
MOST_HEIRS = 100
# Ends that the owner wanted: then nothing is to go on.
WANTED_ENDS = frozenset({"stopped", "idle", "cancelled"})

ReadRecord = Callable[[Path], SessionRecord | None]


def find_heir(root: Path, read: ReadRecord | None = None) -> SessionPaths:
    """The session that answers for the one in this folder now: itself, or its last successor.

    Args:
        root: the session's folder.
        read: as in `list_line`.

    Example:
        >>> find_heir(Path("/s/sessions/slurm-abc")).root.name
        'slurm-abc'
    """
    return list_line(root, read)[-1]


def name_heir(record: SessionRecord) -> str:
    """The session that goes on for another one; empty when none does.

    One that came to its end before it could hand over leads to the successor that it had submitted, unless
    its owner wanted the end.

    Args:
        record: of the other one, with the status to believe.
    """
    if record.successor or not record.status.is_over or record.hand_over is None:
        return record.successor
    code = record.reason.code if record.reason is not None else ""
    return "" if code in WANTED_ENDS else record.hand_over.session_id


def list_line(root: Path, read: ReadRecord | None = None) -> list[SessionPaths]:
    """A session and all that have taken over from it, in order.

    Args:
        root: the session's folder.
        read: tells the record of a folder, with the status to believe; else it is taken as it was written.
    """
    read = read or (lambda folder: read_record(SessionPaths(folder).record))
    line = [SessionPaths(root)]
    while len(line) < MOST_HEIRS:
        record = read(line[-1].root)
        name = name_heir(record) if record is not None else ""
        beside = root.parent / name
        if not _SESSION_ID.fullmatch(name) or not beside.is_dir() or beside in {p.root for p in line}:
            break
        line.append(SessionPaths(beside))
    return line


def pass_keys_on(old: SessionPaths, new: SessionPaths) -> KeyList:
    """Lets the new session know the keys of the old one, people's and programs', as they are now.

    From then on there is one list: the old session reads the new one's, so that what is revoked is revoked
    at both addresses. The new session keeps the key of its own that it was reached by before.

    Returns:
        The one list: with the new session it may go, and `write_keys` gives it back to the old one.

    Raises:
        KeyFileError: one of the lists can't be read, or the new one can't be written.
    """
    with lock_keys(old.keys), lock_keys(new.keys):
        keys = _join(read_keys(old.keys), read_keys(new.keys))
        write_keys(new.keys, keys)
        beside = old.keys.with_name(f".{old.keys.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        beside.symlink_to(new.keys)
        beside.replace(old.keys)
    return keys


def leave_keys(old: SessionPaths, new: SessionPaths) -> None:
    """Leaves the old session's keys for one that may not have begun: it takes them when it does.

    Raises:
        KeyFileError: a list can't be read or written.
        OSError: the new session's folder can't be written.
    """
    write_keys(new.left_keys, read_keys(old.keys))
    if new.keys.exists():
        pass_keys_on(old, new)


def take_left_keys(paths: SessionPaths) -> None:
    """Takes the keys that were left for this session, if any were. Once: a later run has keys of its own.

    Raises:
        KeyFileError: a list can't be read.
        OSError: its own can't be written.
    """
    if paths.left_keys.exists():
        write_keys(paths.keys, _join(read_keys(paths.left_keys), read_keys(paths.keys)))
        paths.left_keys.unlink(missing_ok=True)


def _join(handed: KeyList, own: KeyList) -> KeyList:
    known = {key.digest for key in own.keys}
    return KeyList((*(key for key in handed.keys if key.digest not in known), *own.keys))
