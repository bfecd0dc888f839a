"""Bytes become text: which encoding it is, or that it is no text."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

# Longer marks first: UTF-32's begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {"utf-8": "UTF-8", "cp1252": "Windows-1252"}
# Of a text, other control characters than these are at most one in fifty.
_CONTROL = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
MOST_CONTROL = 0.02
MOST_BROKEN = 0.001
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_UNSHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Decoded:
    """A text and how it was found.

    Args:
        text: with line feeds alone, without control characters.
        encoding: Python's name.
        note: what a person should know of how it was read; empty when it was plain UTF-8.
    """

    text: str
    encoding: str
    note: str = ""


def decode(data: bytes, encoding: str = "") -> Decoded | None:
    r"""The text of bytes, whose last (and with `encoding` first) character may be cut; None: no text.

    Args:
        data: the bytes.
        encoding: as found at the file's beginning, for a piece from its middle.

    Example:
        >>> decode("a\r\nb".encode()).text, decode(b"Gr\xf6\xdfe").encoding, decode(bytes(range(256))) is None
        ('a\nb', 'cp1252', True)
    """
    if encoding:
        return _make(data.decode(encoding, "replace").strip("\ufffd"), encoding)
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _check(_decode_cut(data[len(mark) :], name, "replace"), name)
    if b"\0" in data[:8192]:
        name = _guess_wide(data[:8192])
        return _check(_decode_cut(data, name, "replace"), name) if name else None
    try:
        return _check(_decode_cut(data, "utf-8", "strict"), "utf-8")
    except UnicodeDecodeError:
        text = _decode_cut(data, "utf-8", "replace")
    if text.count("\ufffd") <= MOST_BROKEN * len(text):
        return _check(text, "utf-8", "Some bytes are no UTF-8; a mark stands for each.")
    return _check(data.decode("cp1252", "replace"), "cp1252")


def name_encoding(encoding: str) -> str:
    """What people call an encoding.

    Example:
        >>> name_encoding("utf-16-le")
        'UTF-16'
    """
    return _NAMES.get(encoding) or encoding.upper().removesuffix("-LE").removesuffix("-BE")


def _decode_cut(data: bytes, encoding: str, errors: str) -> str:
    return codecs.getincrementaldecoder(encoding)(errors).decode(data, final=False)


def _guess_wide(data: bytes) -> str:
    """UTF-16 without a mark: every second byte of Western text is zero."""
    half = len(data) // 2
    even, odd = data[::2].count(0) / max(1, half), data[1::2].count(0) / max(1, half)
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else ""


def _check(text: str, encoding: str, note: str = "") -> Decoded | None:
    start = text[:65536]
    without_colours = _ANSI.sub("", start)
    if len(_CONTROL.findall(without_colours)) > MOST_CONTROL * len(without_colours):
        return None
    read_as = f"Read as {name_encoding(encoding)}." if encoding != "utf-8" else ""
    return _make(text, encoding, " ".join(filter(None, (read_as, note))))


def _make(text: str, encoding: str, note: str = "") -> Decoded:
    """Without what only steers a terminal; of a line that was written over and over, the last state."""
    plain = _ANSI.sub("", text).replace("\r\n", "\n")
    if "\r" in plain:
        if plain.count("\r") > 1 and "\n" not in plain:
            plain = plain.replace("\r", "\n")  # an old Macintosh's line ends
        else:
            plain = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n"))
            note = f"{note} Of progress lines the last state is given.".strip()
    return Decoded(_UNSHOWN.sub("", plain), encoding, note)
