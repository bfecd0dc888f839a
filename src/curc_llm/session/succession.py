"""Following a session's name to the job that answers for it now: hand-overs leave it in the record."""

from __future__ import annotations

import os
import re
from pathlib import Path

from curc_llm.session.keys import KeyList, read_keys, write_keys
from curc_llm.session.paths import SessionPaths
from curc_llm.session.store import read_record

_SESSION_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")
# More hand-overs than anybody makes: a circle in broken records must end somewhere.
MOST_HEIRS = 100


def find_heir(root: Path) -> SessionPaths:
    """The session that answers for the one in this folder now: itself, or its last successor.

    Example:
        >>> find_heir(Path("/s/sessions/slurm-abc")).root.name
        'slurm-abc'
    """
    return list_line(root)[-1]


def list_line(root: Path) -> list[SessionPaths]:
    """A session and all that have taken over from it, in order."""
    line = [SessionPaths(root)]
    while len(line) < MOST_HEIRS:
        record = read_record(line[-1].record)
        name = record.successor if record is not None else ""
        beside = root.parent / name
        if not _SESSION_ID.fullmatch(name) or not beside.is_dir() or beside in {p.root for p in line}:
            break
        line.append(SessionPaths(beside))
    return line


def pass_keys_on(old: SessionPaths, new: SessionPaths) -> None:
    """Lets the new session know the keys of the old one, people's and programs', as they are now.

    From then on there is one list: the old session reads the new one's, so that what is revoked is revoked
    at both addresses. The new session keeps the key of its own that it was reached by before.

    Raises:
        KeyFileError: one of the lists can't be read.
        OSError: the new one can't be written.
    """
    own, handed = read_keys(new.keys), read_keys(old.keys)
    known = {key.digest for key in own.keys}
    added = tuple(key for key in handed.keys if key.digest not in known)
    write_keys(new.keys, KeyList((*added, *own.keys)))
    beside = old.keys.with_name(f".{old.keys.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(new.keys)
    beside.replace(old.keys)
