"""What a file is called where people and models see it: one short line that can't pretend."""

from __future__ import annotations

import re
import unicodedata

# As long as a name can be on most file systems, so that people see the whole of it.
NAME_CHARS = 255
# On the disk a mark stands before it; file systems count bytes.
_FILE_BYTES = 200
_ENDING_CHARS = 16
FALLBACK = "file"


def make_name(given: str) -> str:
    r"""A name for showing: no folders, no line ends, nothing that hides or turns text around, not too long.

    Example:
        >>> make_name("../../C:\\data\\a\nb\u202egpj.csv"), make_name("\u200b")
        ('a bgpj.csv', 'file')
    """
    last = given.replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = unicodedata.normalize("NFC", last[: 40 * NAME_CHARS].encode("utf-8", "replace").decode())
    words = "".join(_clean(char) for char in text)
    return _shorten(" ".join(words.split())) or FALLBACK


def make_file_name(given: str) -> str:
    """A name for the disk: as `make_name`, in characters that every file system and shell takes.

    Example:
        >>> make_file_name("$(rm -rf ~).csv"), make_file_name("..")
        ('rm-rf.csv', 'file')
    """
    name = make_name(given)
    stem, dot, ending = name.rpartition(".")
    parts = (_plain(stem if dot else name), _plain(ending) if dot else "")
    whole = ".".join(part for part in parts if part)
    return whole.encode()[:_FILE_BYTES].decode(errors="ignore") or FALLBACK


def _clean(char: str) -> str:
    if char.isspace():
        return " "
    return char if char.isprintable() else ""


def _plain(text: str) -> str:
    kept = "".join(char if char.isalnum() or char in "_-" else " " for char in text)
    return re.sub("-+", "-", "-".join(kept.split())).strip("-")


def _shorten(name: str) -> str:
    if len(name) <= NAME_CHARS:
        return name
    stem, dot, ending = name.rpartition(".")
    ending = dot + ending if stem and len(ending) < _ENDING_CHARS else ""
    return f"{name[: NAME_CHARS - len(ending) - 1].rstrip()}…{ending}"
