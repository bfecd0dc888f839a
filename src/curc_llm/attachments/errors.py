"""What can go wrong with a file that somebody wants to show to a model."""

from __future__ import annotations

from curc_llm.errors import CurcLlmError

READABLE = (
    "Text, source code, CSV and TSV tables, PDF, Jupyter notebooks "
    "and PNG, JPEG, WebP or GIF images can be read."
)


class AttachmentError(CurcLlmError):
    """A file can't be attached: it can't be read, is too large, or is nothing that models can be given."""


class ImagesRefusedError(AttachmentError):
    """The model that is asked doesn't take images."""
