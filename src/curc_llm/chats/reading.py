"""Reads a chat's files and puts them together."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

from curc_llm.chats.chat import Chat
from curc_llm.chats.errors import ChatFileError, ChatNotFoundError
from curc_llm.chats.files import read_file
from curc_llm.chats.legacy import give_parents
from curc_llm.chats.lines import Line, parse_lines
from curc_llm.chats.message import UNFINISHED, parse_message, parse_text, parse_time
from curc_llm.chats.names import PART, list_files


def read_chat(main: Path) -> Chat:
    """The chat with this main file, as it stands.

    Raises:
        ChatNotFoundError: none of its files is there.
        ChatFileError: the main file can't be read, or none holds a chat.
    """
    files, is_whole = _read_files(main)
    if not is_whole:
        # An answer has ended meanwhile, maybe after the main file was read. Once more is enough:
        # a network file system may name for a minute what is gone.
        files, _ = _read_files(main)
    if not files:
        raise ChatNotFoundError(f"{main} can't be read: there is none.", "Name the file of a chat.")
    return put_together(main, files)


def _read_files(main: Path) -> tuple[list[tuple[str, bytes]], bool]:
    """Names and contents of a chat's files, and whether all those that were found there could be opened."""
    files: list[tuple[str, bytes]] = []
    is_whole = True
    for path in list_files(main):
        try:
            files.append((path.name, read_file(path)))
        except ChatNotFoundError:
            is_whole &= path == main
        except ChatFileError:
            if path == main:
                raise
    return files, is_whole


def put_together(main: Path, files: Iterable[tuple[str, bytes]]) -> Chat:
    """The chat that the contents of its files come to.

    Args:
        main: the main file, for its name.
        files: names and contents of all.

    Raises:
        ChatFileError: there is nothing of a chat in them.
    """
    chat = Chat(main.stem)
    whole: list[list[Line]] = []
    parts: list[list[Line]] = []
    for name, data in files:
        lines = parse_lines(data)
        is_part = name.endswith(PART)
        # A piece that is being written, or was when its writer died, is no damage.
        chat.num_skipped += 0 if is_part else lines.num_skipped
        (parts if is_part else whole).append(lines.values if is_part else give_parents(lines.values))
    if not any(is_of_a_chat(line) for lines in (*whole, *parts) for line in lines):
        raise ChatFileError(f"{main} is no chat that can be read.", "Name another file.")
    chat.take_all(_merge([*whole, *_fold_parts(parts, whole)]))
    return chat


def is_of_a_chat(line: Line) -> bool:
    """Whether a line is one that only chats have."""
    is_head = isinstance(line.get("chat"), int) and line["chat"] >= 1
    return is_head or ("at" in line and parse_message(line) is not None)


def fold_part(lines: Iterable[Line]) -> Line | None:
    """An answer's line made of its pieces; None without a head.

    Example:
        >>> fold_part([{"id": "b", "role": "assistant"}, {"part": "Hel"}, {"part": "lo"}])["content"]
        'Hello'
    """
    head: Line | None = None
    texts: list[str] = []
    thoughts: list[str] = []
    for line in lines:
        if "id" in line:
            head = head or line
        texts.append(parse_text(line.get("part")))
        thoughts.append(parse_text(line.get("thought")))
    if head is None:
        return None
    return {**head, "status": UNFINISHED, "reasoning": "".join(thoughts), "content": "".join(texts)}


def _fold_parts(parts: list[list[Line]], whole: list[list[Line]]) -> Iterator[list[Line]]:
    """The answers that have no line of their own yet."""
    known = {str(line["id"]) for lines in whole for line in lines if "id" in line} if parts else set()
    for lines in parts:
        folded = fold_part(lines)
        if folded is not None and str(folded["id"]) not in known:
            yield [folded]


def _merge(streams: list[list[Line]]) -> Iterable[Line]:
    """All lines in the order of their times; those of one file stay in its own order."""
    if len(streams) == 1:
        return streams[0]
    return (line for _, _, _, line in heapq.merge(*(_number(i, lines) for i, lines in enumerate(streams))))


def _number(stream: int, lines: list[Line]) -> Iterator[tuple[float, int, int, Line]]:
    latest = 0.0
    for number, line in enumerate(lines):
        # A file's head says nothing of when the rest was written, and must come first.
        latest = max(latest, parse_time(line.get("at")))
        yield latest, stream, number, line
