"""Paths of the cluster as people type them, and how they may go on.

Looks at one folder, at so many entries and for so long: scratch file systems have folders of a million files.
A file system that doesn't answer at all can't be given up on from inside; callers wait for it in a thread.
"""

from __future__ import annotations

import heapq
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from curc_llm.attachments.errors import AttachmentError
from curc_llm.attachments.sizes import render_size
from curc_llm.variables import VARIABLE

MOST_SHOWN = 20
MOST_ENTRIES = 20_000
MOST_S = 0.5


@dataclass(frozen=True)
class PathCompletion:
    """One way in which a path may go on.

    Args:
        text: what is typed, completed; folders end with a slash.
        name: the last part of it.
        path: the whole path.
        is_folder: whether it goes on from here.
        num_bytes: of a file; 0 for folders.
    """

    text: str
    name: str
    path: Path
    is_folder: bool
    num_bytes: int

    @property
    def size(self) -> str:
        """In words; empty for folders."""
        return "" if self.is_folder else render_size(self.num_bytes)


@dataclass(frozen=True)
class PathCompletions:
    """What was found.

    Args:
        found: folders first, then by name.
        reason: why there is nothing, or not everything, in a sentence; else empty.
    """

    found: tuple[PathCompletion, ...] = ()
    reason: str = ""


def resolve_path(text: str, home: Path, variables: Mapping[str, str] | None = None) -> Path:
    """The path that was typed: `~` and relative ones from home, `$NAME` from those that are given, no others.

    Raises:
        AttachmentError: it names somebody else's home, or a variable that there is none of.

    Example:
        >>> resolve_path("~/a", Path("/home/ada")), resolve_path("$S/b", Path("/home/ada"), {"S": "/scratch"})
        (PosixPath('/home/ada/a'), PosixPath('/scratch/b'))
    """
    known = variables or {}
    first, slash, rest = text.strip().partition("/")
    if first.startswith("~"):
        if first != "~":
            raise AttachmentError(
                f"{first} isn't known here; only ~ is, your own home.", "Write the whole path."
            )
        return home / rest
    if first.startswith("$"):
        match = VARIABLE.fullmatch(first)
        name = (match[1] or match[2]) if match else first[1:]
        if not known.get(name):
            names = ", ".join(f"${one}" for one in sorted(known)) or "none"
            raise AttachmentError(f"${name} isn't known here; known are: {names}.", "Write the whole path.")
        return Path(known[name]) / rest
    return Path(f"{first}{slash}{rest}") if not first and slash else home / text.strip()


def complete_path(
    text: str,
    home: Path,
    limit: int = MOST_SHOWN,
    variables: Mapping[str, str] | None = None,
    *,
    most_entries: int = MOST_ENTRIES,
    most_s: float = MOST_S,
) -> PathCompletions:
    """How a path may go on; files and folders that this user can read, and no others.

    Args:
        text: what is typed so far. Hidden names come when the last part begins with a dot.
        home: where relative paths begin.
        limit: most to return.
        variables: names that may stand as `$NAME` at the beginning.
        most_entries: of the folder that are looked at.
        most_s: seconds that this may take, as long as the file system answers.
    """
    lead, slash, begin = text.lstrip().rpartition("/")
    if not slash and begin.startswith("~"):
        lead, slash, begin = begin, "/", ""
    typed = lead + slash
    until = time.monotonic() + most_s
    try:
        folder = resolve_path(typed or ".", home, variables)
        with os.scandir(folder) as entries:
            scan = _Scan(begin, until, most_entries)
            names = heapq.nsmallest(8 * limit, scan.look(entries))
    except AttachmentError as error:
        return PathCompletions((), str(error))
    except (OSError, ValueError) as error:
        return PathCompletions((), _explain(typed or "~", error))
    found = _complete(names, folder, typed, until)
    readable = tuple(one for _, one in zip(range(limit), found, strict=False))
    return PathCompletions(readable, _say(readable, scan, limit, typed or "~"))


class _Scan:
    """Goes through a folder's entries until it has seen enough."""

    def __init__(self, begin: str, until: float, most_entries: int) -> None:
        self._begin, self._until, self._left = begin, until, most_entries
        self.num_fitting = 0
        self.is_cut = False

    def look(self, entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[bool, str, str]]:
        """Those that begin as typed: whether it is no folder, and its name, as they are sorted."""
        for number, entry in enumerate(entries):
            if number >= self._left or (number % 64 == 0 and time.monotonic() > self._until):
                self.is_cut = True
                return
            name = entry.name
            if not name.startswith(self._begin) or not name.isprintable():
                continue
            if name.startswith(".") and not self._begin.startswith("."):
                continue
            self.num_fitting += 1
            yield not _is_folder(entry), name.casefold(), name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _complete(
    names: list[tuple[bool, str, str]], folder: Path, typed: str, until: float
) -> Iterator[PathCompletion]:
    for _, _, name in names:
        if time.monotonic() > until + MOST_S:
            return
        path = folder / name
        try:
            found = path.stat()
        except OSError:
            continue
        is_folder = stat.S_ISDIR(found.st_mode)
        if not (is_folder or stat.S_ISREG(found.st_mode)):
            continue
        if os.access(path, os.R_OK | (os.X_OK if is_folder else 0)):
            text = f"{typed}{name}{'/' if is_folder else ''}"
            yield PathCompletion(text, name, path, is_folder, 0 if is_folder else found.st_size)


def _say(found: tuple[PathCompletion, ...], scan: _Scan, limit: int, typed: str) -> str:
    if scan.is_cut:
        return f"{typed} has too many entries to look at all of them; type the whole name of what is missing."
    if scan.num_fitting > len(found) >= limit:
        return f"{scan.num_fitting - len(found):,} more; type on to see them."
    return "" if found else f"Nothing in {typed} begins like this that you can read."


def _explain(typed: str, error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return f"{typed} can't be looked into: you have no permission."
    if isinstance(error, FileNotFoundError):
        return f"There is no folder {typed}"
    if isinstance(error, NotADirectoryError):
        return f"{typed} is no folder."
    said = error.strerror if isinstance(error, OSError) else "no folder can have such a name"
    return f"{typed} can't be looked into: {said}."
