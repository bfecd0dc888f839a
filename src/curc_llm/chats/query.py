"""What is looked for in chats, and whether a file's bytes or a text have it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

MOST_WORDS = 16
MOST_LETTERS = 4  # that a file is looked through for before it is read
# Unescaped quotes stand around names and values alone, never within a text: in a file, `"content": "` is the
# beginning of a text, whatever people and models write.
_TEXTS = re.compile(rb'"(?:content|reasoning|title)": "([^"\\]*+(?:\\.[^"\\]*+)*+)"')
_CONTENT = b'"content": "'
_REASONING = b'"reasoning": "'
_SPACE = rb"(?:\ |\\n|\\t|\\r)+"
_MESSAGE = b'{"id": '
_PRINTABLE = re.compile(rb"[\x20-\x7e]+")


@dataclass(frozen=True)
class Query:
    """Words that must all be there.

    Args:
        words: in small letters; some may be several words that stand together.
    """

    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Query:
        """The words of what was typed; what stands in quotes stands together.

        Example:
            >>> Query.parse('Weibull "shape  parameter"').words
            ('weibull', 'shape parameter')
        """
        found = re.findall(r'"([^"]+)"|(\S+)', text)
        words = (" ".join((phrase or word).split()).lower() for phrase, word in found)
        return cls(tuple(dict.fromkeys(word for word in words if word.strip('"')))[:MOST_WORDS])

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds any of the words; where a phrase has a space, any white space may be."""
        ways = sorted(self.words, key=len, reverse=True)
        return re.compile("|".join(re.escape(word).replace(r"\ ", r"\s+") for word in ways), re.IGNORECASE)

    def fits_text(self, text: str) -> bool:
        """True when each word stands in the text."""
        small = text.lower()
        if any(" " in word for word in self.words):
            small = " ".join(small.split())
        return all(word in small for word in self.words)

    def fits_file(self, data: bytes) -> bool:
        """True when each word stands in a text of the file: not only in a name such as `prompt_tokens`.

        Nearly all files are told by a look at their bytes, ten times faster than reading them as JSON.
        """
        small = data.lower()
        may_be = all(any(way in small for way in ways) for ways in self._needed)
        if may_be and self._is_plain and all(_is_in_text(pattern, small) for pattern in self._patterns):
            return True
        is_sure = not _has_escapes(data) and (self._is_plain or not may_be)
        return False if is_sure else self.fits_text(_read_texts(data))

    @cached_property
    def _needed(self) -> tuple[tuple[bytes, ...], ...]:
        """Bytes that a file with the words has, one of each row, however the words are written."""
        return tuple(ways for word in self.words for ways in _list_needed(word))

    @cached_property
    def _is_plain(self) -> bool:
        """Whether the words' letters stand in JSON as they are, in small letters and in capitals."""
        return all(word.isascii() and json.dumps(word) == f'"{word}"' for word in self.words)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[bytes], ...]:
        return tuple(re.compile(re.escape(word.encode()).replace(rb"\ ", _SPACE)) for word in self.words)


def _list_needed(word: str) -> Iterable[tuple[bytes, ...]]:
    """The word's pieces of ASCII, and its other letters in each case."""
    for piece in word.split():
        plain = json.dumps(piece, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
        yield from ((run,) for run in _PRINTABLE.findall(plain))
        for letter in list(dict.fromkeys(c for c in piece if not c.isascii()))[:MOST_LETTERS]:
            ways = {letter, letter.upper(), letter.title(), letter.lower()}
            yield tuple(way.encode("utf-8", "replace") for way in sorted(ways))


def _has_escapes(data: bytes) -> bool:
    r"""Whether letters are hidden behind `\u`; our own lines hide control characters alone."""
    return b"\\u" in data and b"\\u" in data.replace(b"\\\\", b"")


def _is_in_text(word: re.Pattern[bytes], data: bytes) -> bool:
    """Whether the word stands behind a line's names and figures; texts are what our lines end with."""
    match = word.search(data)
    while match is not None:
        at = match.start()
        begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
        if not data.startswith(_MESSAGE, begin):
            line = data[begin:] if end < 0 else data[begin:end]
            if any(word.search(text) for text in _TEXTS.findall(line)):
                return True
            text_at = end
        elif data.find(_REASONING, begin, at) >= 0 or data.find(_CONTENT, begin, at) >= 0:
            return True
        else:
            text_at = _find_text(data, at)
        match = word.search(data, text_at) if text_at >= 0 else None
    return False


def _find_text(data: bytes, at: int) -> int:
    """Where the next text begins."""
    places = [place for place in (data.find(_REASONING, at), data.find(_CONTENT, at)) if place >= 0]
    return min(places, default=-1)


def _read_texts(data: bytes) -> str:
    whole = b"\\n".join(_TEXTS.findall(data)).decode("utf-8", "replace")
    try:
        return str(json.loads(f'"{whole}"'))
    except ValueError:
        return whole
