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
        return all(stands_in(word, text) for word in self.words)

    def fits_file(self, data: bytes) -> bool:
        """True when each word stands in a text of the file: not only in a name such as `prompt_tokens`.

        Nearly all files are told by a look at their bytes, ten times faster than reading them as JSON.
        """
        small = data.lower()
        may_be = all(any(way in small for way in ways) for ways in self._needed)
        if may_be and self._is_plain:
            looks = zip(self.words, self._patterns, strict=True)
            if all(_is_in_text(word, pattern, small) for word, pattern in looks):
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


def stands_in(word: str, text: str) -> bool:
    r"""Whether a word in small letters stands in the text, in any case; its spaces stand for any white space.

    Example:
        >>> stands_in("login node", "A Login\n node")
        True
    """
    small = text.lower()
    return word in (" ".join(small.split()) if " " in word else small)


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


def _is_in_text(word: str, pattern: re.Pattern[bytes], data: bytes) -> bool:
    """Whether the word stands in a text; a line whose names and figures alone have it is passed over.

    Args:
        word: in small letters.
        pattern: the word as it stands in JSON.
        data: a file in small letters.
    """
    match = pattern.search(data)
    while match is not None:
        begin, end = data.rfind(b"\n", 0, match.start()) + 1, data.find(b"\n", match.start())
        end = len(data) if end < 0 else end
        text_at = _find_text(data, begin, end)
        if match.start() >= text_at and stands_in(word, _read_texts(data[begin:end])):
            return True
        match = pattern.search(data, end if match.start() >= text_at else text_at)
    return False


def _find_text(data: bytes, begin: int, end: int) -> int:
    """Where a message's texts begin, with which our lines end; other lines are looked at as a whole."""
    if not data.startswith(_MESSAGE, begin):
        return begin
    places = (data.find(_REASONING, begin, end), data.find(_CONTENT, begin, end))
    return min((place for place in places if place >= 0), default=begin)


def _read_texts(data: bytes) -> str:
    # Between two texts stands what no word has, so that no phrase goes from one to the other.
    whole = b"\\u0000".join(_TEXTS.findall(data)).decode("utf-8", "replace")
    try:
        return str(json.loads(f'"{whole}"'))
    except ValueError:
        return whole
