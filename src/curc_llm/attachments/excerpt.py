"""The beginning and the end of a text that is too long, with a plain word on what is missing between."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.attachments.encoding import decode
from curc_llm.attachments.kinds import refuse_unknown
from curc_llm.attachments.sizes import render_size
from curc_llm.attachments.source import Source

# Errors stand at the end of logs, definitions at the beginning of code.
_SHARE_OF_BEGINNING = 2 / 3
_LINE_CHARS = 2000  # a cut moves at most this far to a line's end
_MOST_BYTES_PER_CHAR = 4


@dataclass(frozen=True)
class Excerpt:
    """What is given of a text.

    Args:
        text: with a line in brackets where something is left out.
        note: the same in words for people; empty when it is all there.
    """

    text: str
    note: str = ""


def shorten(text: str, most_chars: int) -> Excerpt:
    """The text, or its beginning and end when it has more characters.

    Example:
        >>> shorten("word " * 100, 60).note
        'Left out: the middle, 440 of 500 characters.'
    """
    if len(text) <= most_chars:
        return Excerpt(text)
    begin, end = _cut(text, text, most_chars)
    left_out = f"the middle, {len(text) - len(begin) - len(end):,} of {len(text):,} characters"
    return Excerpt(_join(begin, end, left_out), f"Left out: {left_out}.")


def read_text(source: Source, most_chars: int) -> Excerpt:
    """A file's text, however long the file is: no more of it is read than is given.

    Raises:
        AttachmentError: it is no text, or can't be read.
    """
    room = _MOST_BYTES_PER_CHAR * most_chars
    is_whole = source.num_bytes <= 2 * room
    first = decode(source.read(2 * room if is_whole else room))
    if first is None:
        raise refuse_unknown(source.name)
    if is_whole:
        found = shorten(first.text, most_chars)
        return Excerpt(found.text, " ".join(filter(None, (first.note, found.note))))
    # Two and four bytes a character: a piece from the middle must begin where a character does.
    last = decode(source.read_end(room + (source.num_bytes - room) % 4), first.encoding)
    begin, end = _cut(first.text, last.text if last else "", most_chars)
    kept = len(begin.encode(first.encoding, "replace")) + len(end.encode(first.encoding, "replace"))
    left_out = f"the middle, about {render_size(source.num_bytes - kept)} of {render_size(source.num_bytes)}"
    note = " ".join(filter(None, (first.note, f"Left out: {left_out}.")))
    return Excerpt(_join(begin, end, left_out), note)


def _cut(first: str, last: str, most_chars: int) -> tuple[str, str]:
    """A beginning and an end, at ends of lines where there are some near."""
    num_first = int(most_chars * _SHARE_OF_BEGINNING)
    begin, end = first[:num_first], last[len(last) - (most_chars - num_first) :]
    at = begin.rfind("\n")
    if len(begin) - at < min(_LINE_CHARS, num_first // 2):
        begin = begin[: at + 1]
    at = end.find("\n")
    if 0 <= at < min(_LINE_CHARS, len(end) // 2):
        end = end[at + 1 :]
    return begin, end


def _join(begin: str, end: str, left_out: str) -> str:
    return f"{begin.rstrip()}\n\n[... left out here: {left_out} ...]\n\n{end}"
