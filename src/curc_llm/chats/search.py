"""Finds words in the text of thousands of chats, within a second, without an index of words.

Three looks, each at what the one before let through: the bytes of a file hold all words somewhere; its texts
hold them (not only names such as `prompt_tokens`); the chat's messages do, and which one shows it best.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from curc_llm.chats.chat import Chat
from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.files import read_file
from curc_llm.chats.message import Message
from curc_llm.chats.names import PART
from curc_llm.chats.reading import put_together
from curc_llm.chats.summary import ChatSummary, summarise

MOST_HITS = 50
MOST_WORDS = 16
SLICE = 64  # chats that a thread takes at once
SNIPPET_CHARS = 120
# Values of these names are texts. Unescaped quotes stand around names and values alone, never within a text.
_TEXTS = re.compile(rb'"(?:content|reasoning|title)": "([^"\\]*+(?:\\.[^"\\]*+)*+)"')
_ESCAPE = b"\\u"  # may hide a letter; seldom, for our own lines escape control characters alone
_LONGEST_ASCII = re.compile(rb"[\x20-\x7e]+")


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


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Args:
        words: in small letters; each must be there.
    """

    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Query:
        """The words of what was typed.

        Example:
            >>> Query.parse('Weibull "shape  parameter"').words
            ('weibull', 'shape parameter')
        """
        found = re.findall(r'"([^"]+)"|(\S+)', text)
        words = (" ".join((phrase or word).split()).lower() for phrase, word in found)
        return cls(tuple(dict.fromkeys(word for word in words if word.strip('"')))[:MOST_WORDS])

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds any of the words; where a phrase has a space, any white space may be."""
        ways = sorted(self.words, key=len, reverse=True)
        return re.compile("|".join(re.escape(word).replace(r"\ ", r"\s+") for word in ways), re.IGNORECASE)

    def may_fit(self, data: bytes) -> bool:
        """A quick look at a file's bytes: False when a word can't be there."""
        small = data.lower()
        needed = (need for word in self.words for need in _list_needed(word))
        return all(need in small for need in needed) or _ESCAPE in data

    def fits(self, data: bytes) -> bool:
        """A look at the texts in a file: True when each word stands in one of them."""
        texts = b"\n".join(_TEXTS.findall(data))
        if _ESCAPE not in texts and all(map(_is_plain, self.words)):
            small = texts.lower()
            return all(word.encode() in small for word in self.words)
        return self.fits_text(_unescape(texts))

    def fits_text(self, text: str) -> bool:
        """True when each word stands in the text."""
        small = " ".join(text.lower().split()) if any(" " in word for word in self.words) else text.lower()
        return all(word in small for word in self.words)


def search_files(
    folder: Path, chats: Sequence[tuple[str, Sequence[str]]], query: Query, limit: int, threads: int
) -> Found:
    """Searches chats.

    Args:
        folder: where their files are.
        chats: id and names of files of each.
        query: what is looked for.
        limit: most hits to return.
        threads: that read files at the same time.
    """
    slices = [chats[i : i + SLICE] for i in range(0, len(chats), SLICE)]
    with ThreadPoolExecutor(threads) as pool:
        fits = [one for some in pool.map(lambda some: _look(folder, some, query), slices) for one in some]
    fits.sort(key=lambda one: -one[0].updated_at)
    hits = (_make_hit(folder, summary, names, query) for summary, names in fits[:limit])
    return Found(tuple(hit for hit in hits if hit is not None), len(fits))


def _look(
    folder: Path, chats: Iterable[tuple[str, Sequence[str]]], query: Query
) -> list[tuple[ChatSummary, Sequence[str]]]:
    fits = []
    for chat_id, names in chats:
        files = list(_read(folder, names))
        summary = _look_at(chat_id, files, query)
        if summary is not None and summary.deleted_at is None:
            fits.append((summary, names))
    return fits


def _look_at(chat_id: str, files: list[tuple[str, bytes]], query: Query) -> ChatSummary | None:
    if any(name.endswith(PART) for name, _ in files):  # words may be cut in two there
        with contextlib.suppress(ChatFileError):
            chat = put_together(Path(f"{chat_id}.jsonl"), files)
            return summarise(chat_id, files) if _find_best(chat, query) else None
    whole = files[0][1] if len(files) == 1 else b"\n".join(data for _, data in files)
    return summarise(chat_id, files) if query.may_fit(whole) and query.fits(whole) else None


def _read(folder: Path, names: Iterable[str]) -> Iterable[tuple[str, bytes]]:
    for name in sorted(names):
        try:
            yield name, read_file(folder / name)
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
    if not query.fits_text("\n".join(text for _, text in texts)):
        return None
    counts = [sum(Query((word,)).fits_text(text) for word in query.words) for _, text in texts]
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


def _list_needed(word: str) -> Iterable[bytes]:
    """Bytes that a file with the word has, in small letters, however the word is written."""
    for piece in word.split():
        plain = json.dumps(piece, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
        yield from _LONGEST_ASCII.findall(plain)


def _is_plain(word: str) -> bool:
    """Whether the word stands in JSON as it is, in small letters and in capitals."""
    return word.isascii() and " " not in word and json.dumps(word) == f'"{word}"'


def _unescape(texts: bytes) -> str:
    whole = texts.replace(b"\n", b"\\n").decode("utf-8", "replace")
    try:
        return str(json.loads(f'"{whole}"'))
    except ValueError:
        return whole
