"""PDF files: read by a process of their own, which may take only so long and only so much memory.

A PDF is a program for drawing pages; ones made by mistake or in malice keep a parser busy for hours or unpack
kilobytes into gigabytes, and a thread can neither be ended nor kept from taking memory. So `pdf_pages` reads
it in a child under the kernel's limits (RLIMIT_AS, RLIMIT_CPU), and what it has told when its time is over is
kept. The start of Python and pypdf costs about half a second.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from curc_llm.attachments.errors import AttachmentError
from curc_llm.attachments.excerpt import Excerpt, shorten
from curc_llm.attachments.limits import AttachmentLimits
from curc_llm.attachments.pdf_pages import UNREADABLE

_PROGRAM = "curc_llm.attachments.pdf_pages"
_FEW_CHARS_PER_PAGE = 20  # of a scan only a stamp or a page's number is text


@dataclass(frozen=True)
class _Found:
    pages: Sequence[str]
    num_pages: int
    trouble: str
    is_late: bool


def read_pdf(data: bytes, name: str, limits: AttachmentLimits) -> Excerpt:
    """The text of a PDF, each page under a line with its number.

    Args:
        data: the file.
        name: what it is called in errors.
        limits: pages, time and memory.

    Raises:
        AttachmentError: it is encrypted or broken, holds no text, or takes too long.
    """
    found = _collect(*_run(data, limits))
    _check(found, name, limits)
    pages = [f"[Page {number}]\n{text.strip()}" for number, text in enumerate(found.pages, 1)]
    if len(found.pages) < found.num_pages:
        pages.append(f"[... left out here: pages {len(found.pages) + 1} to {found.num_pages} ...]")
    text = shorten("\n\n".join(pages), limits.max_text_chars)
    return Excerpt(text.text, " ".join(filter(None, (*_list_notes(found, limits), text.note))))


def _run(data: bytes, limits: AttachmentLimits) -> tuple[bytes, bool]:
    """What the child told, and whether it was ended before it was done."""
    options = [limits.max_pdf_pages, limits.max_text_chars, limits.pdf_timeout_s, limits.pdf_memory_mib]
    command = [sys.executable, "-m", _PROGRAM, *map(str, options)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with child:
        try:
            return child.communicate(data, timeout=limits.pdf_timeout_s)[0], False
        except subprocess.TimeoutExpired:
            child.kill()
            return child.communicate()[0], True


def _collect(told: bytes, is_late: bool) -> _Found:
    pages: list[str] = []
    num_pages, trouble, is_done = 0, "", False
    for row in told.split(b"\n"):
        try:
            value = json.loads(row)
        except ValueError:  # the last line, torn
            continue
        pages += [value["page"]] if "page" in value else []
        num_pages = value.get("num_pages", num_pages)
        trouble = value.get("trouble", trouble)
        is_done = is_done or "done" in value
    # Ended by the kernel, or by itself without a word: what it read counts all the same.
    return _Found(pages, num_pages, trouble, is_late or not (is_done or trouble))


def _check(found: _Found, name: str, limits: AttachmentLimits) -> None:
    if found.trouble == "encrypted":
        raise AttachmentError(
            f"{name} is encrypted: it opens with a password only.", "Save a copy without the password."
        )
    if not found.pages and found.is_late:
        raise AttachmentError(
            f"{name} can't be read within {limits.pdf_timeout_s:g} s "
            f"and {limits.pdf_memory_mib:,} MiB of memory.",
            "Print it to a new PDF, or attach the pages that matter.",
        )
    if not found.pages:
        raise AttachmentError(f"{name} is no PDF that can be read.", "Open it and print it to a new PDF.")
    if found.pages and all(page == UNREADABLE for page in found.pages):
        raise AttachmentError(
            f"None of the pages of {name} can be read.", "Open it and print it to a new PDF."
        )
    if not any(page.strip() for page in found.pages):
        raise AttachmentError(
            f"{name} holds no text on the {_count(len(found.pages))} that "
            f"{'was' if len(found.pages) == 1 else 'were'} read: it is a scan or drawings.",
            "Run text recognition over it (ocrmypdf), or attach pages as images to a model that sees.",
        )


def _list_notes(found: _Found, limits: AttachmentLimits) -> list[str]:
    notes = [f"{_count(found.num_pages)}; text alone, without figures."]
    num_broken = sum(page == UNREADABLE for page in found.pages)
    if num_broken:
        notes.append(f"{_count(num_broken)} can't be read.")
    num_bare = sum(len(page.strip()) < _FEW_CHARS_PER_PAGE for page in found.pages)
    if num_bare:
        notes.append(
            f"{_count(num_bare)} {'has' if num_bare == 1 else 'have'} next to no text: "
            "what is scanned or drawn there isn't seen."
        )
    if len(found.pages) < found.num_pages:
        why = (
            f"reading takes longer than {limits.pdf_timeout_s:g} s or too much memory"
            if found.is_late
            else "it is long"
        )
        notes.append(f"Only the first {_count(len(found.pages))} are given, because {why}.")
    return notes


def _count(number: int) -> str:
    return f"{number:,} page{'' if number == 1 else 's'}"
