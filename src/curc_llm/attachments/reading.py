"""From a file to what a model is given of it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from curc_llm.attachments.attachment import Attachment
from curc_llm.attachments.errors import AttachmentError
from curc_llm.attachments.excerpt import read_text
from curc_llm.attachments.image import read_image
from curc_llm.attachments.kinds import SNIFF_BYTES, FileKind, find_kind
from curc_llm.attachments.limits import DEFAULT_LIMITS, AttachmentLimits
from curc_llm.attachments.names import make_name
from curc_llm.attachments.notebook import read_notebook
from curc_llm.attachments.pdf import read_pdf
from curc_llm.attachments.source import Source, open_source
from curc_llm.attachments.table import read_table

# Decoding takes memory and a core; a hundred people who share a chat take turns.
_AT_ONCE = threading.BoundedSemaphore(2)


def read_attachment(
    path: Path | str, name: str | None = None, limits: AttachmentLimits = DEFAULT_LIMITS
) -> Attachment:
    """Reads a file, with the rights of this process; takes up to `pdf_timeout_s` and some seconds.

    Args:
        path: the file, an upload or one of the cluster.
        name: what it is called; its own name if not given.
        limits: how much of it.

    Raises:
        AttachmentError: it can't be read, or is nothing that a model can be given; says what would be.

    Example:
        >>> read_attachment("results.csv").note                                # doctest: +SKIP
        '120 rows and 5 columns.'
    """
    shown = make_name(os.fspath(path) if name is None else name)
    with open_source(Path(path), shown) as source:
        start = source.read(SNIFF_BYTES)
        if not start:
            raise AttachmentError(f"{shown} is empty: it has 0 bytes.", "Attach another file.")
        found = _read(source, find_kind(shown, start), limits)
    if not found.text.strip() and not found.image:
        raise AttachmentError(f"{shown} holds no text: only blanks.", "Attach another file.")
    return found


def _read(source: Source, kind: FileKind, limits: AttachmentLimits) -> Attachment:
    name, num_bytes = source.name, source.num_bytes
    if kind.kind in {"image", "pdf", "notebook"}:
        with _AT_ONCE:
            return _read_whole(source, kind, limits)
    if kind.kind == "table":
        with _AT_ONCE:
            found = read_table(source, limits)
    else:
        found = read_text(source, limits.max_text_chars)
    return Attachment(name, kind.kind, found.text, found.note, "", num_bytes, language=kind.language)


def _read_whole(source: Source, kind: FileKind, limits: AttachmentLimits) -> Attachment:
    name, num_bytes = source.name, source.num_bytes
    words = {"image": "images", "pdf": "PDF files", "notebook": "notebooks"}[kind.kind]
    data = source.read_all(limits.max_whole_bytes, words)
    if kind.kind == "image":
        picture = read_image(data, name, limits)
        return Attachment(name, "image", "", picture.note, picture.url, num_bytes, picture.num_tokens)
    if kind.kind == "pdf":
        found = read_pdf(data, name, limits)
        return Attachment(name, "pdf", found.text, found.note, "", num_bytes)
    found, language = read_notebook(data, name, limits.max_text_chars)
    return Attachment(name, "notebook", found.text, found.note, "", num_bytes, language=language)
