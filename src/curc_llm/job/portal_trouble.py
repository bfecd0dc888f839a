"""What went wrong before there was a session, in words for the card."""

from __future__ import annotations

import errno
import re
import sys
from pathlib import Path

from curc_llm.errors import CurcLlmError
from curc_llm.session.files import write_json
from curc_llm.session.record import Trouble

TROUBLE = "trouble.json"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_STAFF = "This is for the centre's staff to mend: please tell them, with the session's number."


def explain_trouble(error: Exception) -> Trouble:
    """An error as the card shows it.

    Example:
        >>> explain_trouble(SpecError("The hours '-1' can't be used.", "Launch again.")).code
        'spec'
    """
    if isinstance(error, CurcLlmError):
        return _explain_full(error.__cause__) or Trouble(
            code=_code(error), message=error.message, remedy=error.remedy
        )
    if isinstance(error, OSError):
        return _explain_full(error) or _explain_folder(error)
    if isinstance(error, ImportError):
        message = f"The session's software on this node is broken: {error.name or 'a part'} can't be loaded."
        return Trouble(code="runtime_broken", message=message, remedy=_STAFF)
    message = f"The launch failed in a way that nobody expected ({type(error).__name__})."
    return Trouble(
        code="unexpected", message=message, remedy="See the log; if it happens again, tell the staff."
    )


def _code(error: CurcLlmError) -> str:
    """A stable name: ModelDoesNotFitError → model_does_not_fit."""
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _explain_full(error: BaseException | None) -> Trouble | None:
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return None
    where = f" of {Path(error.filename).parent}" if error.filename else ""
    return Trouble(
        code="disk_full",
        message=f"The disk or quota{where} is full, so the session can't be set up.",
        remedy="Delete or move files there (homes are small), then launch again.",
    )


def _explain_folder(error: OSError) -> Trouble:
    where = error.filename or "A folder"
    return Trouble(
        code="folder_not_writable",
        message=f"{where} can't be written: {error.strerror or type(error).__name__}.",
        remedy="Check its permissions and whether its file system is there, then launch again.",
    )


def write_trouble(staged_root: Path, trouble: Trouble) -> None:
    """Leaves it for the card, mode 0600; a folder that can't be written is told on stderr alone."""
    try:
        write_json(staged_root / TROUBLE, trouble.model_dump())
    except OSError as error:
        sys.stderr.write(f"{staged_root / TROUBLE} can't be written: {error.strerror}\n")
