"""What a chat's files are called, and which of them there are."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from curc_llm.chats.errors import ChatFileError, ChatNotFoundError

SUFFIX = ".jsonl"
PART = ".part"
MARK = "~"  # between a chat's id and what else a file's name says; no id has one
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WHICH = re.compile(r"[A-Za-z0-9]{1,40}")


@dataclass(frozen=True, slots=True)
class Stamp:
    """One file as it was when the folder was looked at.

    Args:
        name: of the file.
        size: in bytes.
        mtime_ns: when it was last written, in nanoseconds.
    """

    name: str
    size: int
    mtime_ns: int

    @property
    def is_part(self) -> bool:
        """Whether it holds an answer that is being written."""
        return self.name.endswith(PART)


@dataclass(frozen=True)
class Folder:
    """What lies in a folder of chats.

    Args:
        chats: the files of each chat, by id.
        strange: names of what is no chat, or can't be trusted: links, files of others, foreign names.
    """

    chats: dict[str, list[Stamp]] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)


def make_chat_id(now: float | None = None) -> str:
    """A new chat's id, which begins with its time.

    Example:
        >>> len(make_chat_id())
        28
    """
    return f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{secrets.token_hex(6)}"


def check_chat_id(chat_id: str) -> str:
    """The id, if it can be one; what is asked for comes from pages and command lines.

    Raises:
        ChatNotFoundError: it leads out of the folder, or is no name.
    """
    if not _ID.fullmatch(chat_id):
        raise ChatNotFoundError(f"There is no saved chat {chat_id[:100]!r}.", "List them: curc-llm chats ls")
    return chat_id


def split_name(name: str) -> tuple[str, str] | None:
    """The chat's id and the rest of a file's name; None for what isn't a chat's.

    Example:
        >>> split_name("talk~b0.part"), split_name("talk.jsonl"), split_name("notes.txt")
        (('talk', '~b0.part'), ('talk', '.jsonl'), None)
    """
    stem, dot, kind = name.rpartition(".")
    if f"{dot}{kind}" not in {SUFFIX, PART}:
        return None
    chat_id, mark, which = stem.partition(MARK)
    if (
        not _ID.fullmatch(chat_id)
        or (mark and not _WHICH.fullmatch(which))
        or (not mark and kind == PART[1:])
    ):
        return None
    return chat_id, name[len(chat_id) :]


def scan(folder: Path) -> Folder:
    """Looks which chats there are. Costs one look at the folder and one at each file's size and time.

    Raises:
        ChatFileError: the folder can't be read.
    """
    found = Folder()
    try:
        with os.scandir(folder) as entries:
            _sort_in(entries, found)
    except FileNotFoundError:
        return found
    except OSError as error:
        raise ChatFileError(f"The chats in {folder} can't be read: {error.strerror}.") from error
    return found


def _sort_in(entries: Iterable[os.DirEntry[str]], found: Folder) -> None:
    owner = os.geteuid()
    for entry in entries:
        if entry.name.startswith("."):
            continue
        parts = split_name(entry.name)
        try:
            is_sound = parts is not None and entry.is_file(follow_symlinks=False)
            stat = entry.stat(follow_symlinks=False) if is_sound else None
        except OSError:
            continue  # gone since the folder was read
        if parts is None or stat is None or stat.st_uid != owner:
            found.strange.append(entry.name)
        else:
            stamp = Stamp(entry.name, stat.st_size, stat.st_mtime_ns)
            found.chats.setdefault(parts[0], []).append(stamp)


def list_files(main: Path) -> list[Path]:
    """The files of one chat, its main one first, whether or not it is there.

    Args:
        main: the main file, in the store's folder or anywhere else; its name may be any.
    """
    begin = f"{main.stem}{MARK}"
    try:
        others = sorted(path.name for path in main.parent.iterdir() if path.name.startswith(begin))
    except OSError:
        others = []
    return [main, *(main.with_name(name) for name in others if Path(name).suffix in {main.suffix, PART})]
