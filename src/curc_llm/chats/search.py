"""Finds words in the text of thousands of chats, within a second, without an index of words.

The bytes of each file are looked through (`query`), and what is found is read as a chat, for the message that
shows it best.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from curc_llm.chats.chat import Chat
from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.files import read_file
from curc_llm.chats.message import Message
from curc_llm.chats.names import PART
from curc_llm.chats.query import Query, stands_in
from curc_llm.chats.reading import put_together
from curc_llm.chats.summary import ChatSummary

MOST_HITS = 50
SLICE = 64  # chats that a thread takes at once
SNIPPET_CHARS = 120


@dataclass(frozen=True)
class Hit:
    """A chat that has all words.

    Args:
        summary: of the chat.
        message_id: of the message that shows it best; empty when only the title has them.
        start: where its first match begins in the message's text, in characters.
        snippet: the text around it, on one line.
        marks: where words stand in the snippet: begin and end, in characters.
    """

    summary: ChatSummary
    message_id: str
    start: int
    snippet: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        hits: the latest chats, at most as many as were asked for.
        num_chats: how many there are in all.
    """

    hits: tuple[Hit, ...]
    num_chats: int


def search_files(
    folder: Path, chats: Sequence[tuple[ChatSummary, Sequence[str]]], query: Query, limit: int, threads: int
) -> Found:
    """Searches chats.

    Args:
        folder: where their files are.
        chats: each with the names of its files, in the order of the hits.
        query: what is looked for.
        limit: most hits to return.
        threads: that read files at the same time.
    """
    slices = [chats[i : i + SLICE] for i in range(0, len(chats), SLICE)]
    with ThreadPoolExecutor(threads) as pool:
        fits = [one for some in pool.map(lambda some: _look(folder, some, query), slices) for one in some]
    hits = (_make_hit(folder, summary, names, query) for summary, names in fits[:limit])
    return Found(tuple(hit for hit in hits if hit is not None), len(fits))


def _look(
    folder: Path, chats: Iterable[tuple[ChatSummary, Sequence[str]]], query: Query
) -> list[tuple[ChatSummary, Sequence[str]]]:
    return [(summary, names) for summary, names in chats if _fits(summary.chat_id, folder, names, query)]


def _fits(chat_id: str, folder: Path, names: Sequence[str], query: Query) -> bool:
    files = list(_read(folder, names))
    if any(name.endswith(PART) for name, _ in files):  # words may be cut in two there
        with contextlib.suppress(ChatFileError):
            return _find_best(put_together(Path(f"{chat_id}.jsonl"), files), query) is not None
        return False
    return query.fits_file(files[0][1] if len(files) == 1 else b"\n".join(data for _, data in files))


def _read(folder: Path, names: Iterable[str]) -> Iterable[tuple[str, bytes]]:
    for name in sorted(names):
        try:
            yield name, read_file(f"{folder}/{name}")
        except ChatFileError:
            continue


def _make_hit(folder: Path, summary: ChatSummary, names: Sequence[str], query: Query) -> Hit | None:
    try:
        chat = put_together(Path(f"{summary.chat_id}.jsonl"), list(_read(folder, names)))
    except ChatFileError:
        return None  # gone meanwhile
    best = _find_best(chat, query)
    if best is None:
        return None
    message, text = best
    match = query.pattern.search(text)
    start = match.start() if match else 0
    snippet, marks = make_snippet(text, query, start)
    return Hit(summary, message.message_id if message else "", start, snippet, marks)


def _find_best(chat: Chat, query: Query) -> tuple[Message | None, str] | None:
    """The message with most of the words, the latest of several; None when the chat hasn't all of them."""
    texts: list[tuple[Message | None, str]] = [(None, chat.title)]
    for message in chat.messages.values():
        texts.append((message, message.content))
        if message.reasoning:
            texts.append((message, message.reasoning))
    has = [[stands_in(word, text) for word in query.words] for _, text in texts]
    if not all(map(any, zip(*has, strict=True))):
        return None
    counts = list(map(sum, has))
    most = max(counts[1:], default=0)
    # The title says nothing that the list doesn't show already.
    if most == 0:
        return texts[0]
    return next(texts[i] for i in range(len(texts) - 1, 0, -1) if counts[i] == most)


def make_snippet(text: str, query: Query, start: int) -> tuple[str, tuple[tuple[int, int], ...]]:
    r"""The text around a match, on one line, and where the words stand in it.

    Example:
        >>> make_snippet("A login node\nis for logging in.", Query(("node",)), 8)
        ('A login node is for logging in.', ((8, 12),))
    """
    begin = max(0, start - SNIPPET_CHARS // 3)
    end = min(len(text), begin + SNIPPET_CHARS)
    piece = " ".join("".join(c if c.isprintable() else " " for c in text[begin:end]).split())
    snippet = f"{'…' if begin else ''}{piece}{'…' if end < len(text) else ''}"
    return snippet, tuple(match.span() for match in query.pattern.finditer(snippet))
