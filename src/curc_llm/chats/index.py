"""The summaries of a folder, kept from one look to the next.

`.index.json` is a cache and nothing more. An entry counts only while size and time of each of the chat's
files are what they were when it was made; all other chats are read anew. It is replaced in one rename, by
whoever has seen many changes; if two do so at once, one of them wins, and nothing is lost.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.files import read_file
from curc_llm.chats.names import Stamp
from curc_llm.chats.summary import ChatSummary
from curc_llm.session.files import write_private

NAME = ".index.json"
VERSION = 2
# As many chats as can be read anew in a few milliseconds; fewer changes aren't worth writing it.
MOST_STALE = 32
_TYPES: tuple[Any, ...] = (
    str,
    str,
    (int, float),
    (int, float),
    bool,
    (int, float, type(None)),
    int,
    str,
    int,
    (int, float),
)

Stamps = tuple[tuple[str, int, int], ...]
Entry = tuple[Stamps, ChatSummary | None]


def make_stamps(files: Sequence[Stamp]) -> Stamps:
    """What must be as it was for a summary to count."""
    return tuple(sorted((one.name, one.size, one.mtime_ns) for one in files))


def read_index(folder: Path) -> dict[str, Entry]:
    """The entries that were kept; none when the file is missing or isn't one of ours.

    Args:
        folder: of the chats.
    """
    try:
        value = json.loads(read_file(folder / NAME))
        if value["version"] != VERSION:
            return {}
        return {chat_id: _parse(chat_id, *row) for chat_id, row in value["chats"].items()}
    except (ChatFileError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def write_index(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Keeps the entries; without room for it nothing happens."""
    rows = {chat_id: [stamps, _render(summary)] for chat_id, (stamps, summary) in entries.items()}
    with contextlib.suppress(OSError):
        write_private(folder / NAME, json.dumps({"version": VERSION, "chats": rows}, ensure_ascii=False))


def _render(summary: ChatSummary | None) -> list[Any] | None:
    return None if summary is None else [getattr(summary, name) for name in ChatSummary.__slots__]


def _parse(chat_id: str, stamps: Any, row: Any) -> Entry:
    kept = tuple((str(name), int(size), int(mtime_ns)) for name, size, mtime_ns in stamps)
    if row is None:
        return kept, None
    if not all(isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=True)) or row[0] != chat_id:
        raise ValueError(chat_id)
    return kept, ChatSummary(*row)
