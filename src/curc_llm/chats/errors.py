"""What can go wrong with saved chats, in sentences."""

from __future__ import annotations

import errno
from pathlib import Path

from curc_llm.errors import CurcLlmError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class ChatFileError(CurcLlmError):
    """A chat can't be kept in a file, or read from one."""


class ChatNotFoundError(ChatFileError):
    """There is no saved chat of that id."""


class ChatImportError(CurcLlmError):
    """A file can't be taken in as chats."""


def explain_unwritten(path: Path, error: OSError) -> ChatFileError:
    """One sentence for a chat that can't be written, with what to do about it.

    Example:
        >>> explain_unwritten(Path("a.jsonl"), OSError(28, "No space left on device")).message
        "The chat can't be kept in a.jsonl: No space left on device."
    """
    remedy = "It goes on here without being saved; export it, or save it elsewhere."
    if error.errno in _FULL:
        remedy = (
            "It goes on here without being saved; make room (curc-llm chats purge), "
            "and all of it is saved with the next message."
        )
    return ChatFileError(f"The chat can't be kept in {path}: {error.strerror}.", remedy)
