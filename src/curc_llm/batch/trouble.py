"""What can stop a batch, in words that say what is kept and how to go on."""

from __future__ import annotations

from pathlib import Path

from curc_llm.errors import CurcLlmError


class BatchError(CurcLlmError):
    """A batch can't be begun, or didn't get to its end."""


class BatchInputError(BatchError, ValueError):
    """The rows, the template or the schema can't be used. Nothing was sent."""


class BatchFileError(BatchError):
    """The file for the results can't be used, or belongs to another batch."""


class BatchStoppedError(BatchError):
    """The batch stopped before its end; what was done is kept.

    Args:
        message, remedy: as for every `CurcLlmError`.
        path: where the results so far are.
        interrupted: a person stopped it.
    """

    def __init__(self, message: str, remedy: str, path: Path, *, interrupted: bool = False) -> None:
        super().__init__(message, remedy)
        self.path = path
        self.interrupted = interrupted


def describe_unwritable(path: Path, error: OSError) -> str:
    """Why a file can't be written, in a sentence.

    Example:
        >>> describe_unwritable(Path("out.jsonl"), OSError(28, "No space left on device"))
        'out.jsonl can\\'t be written: No space left on device.'
    """  # noqa: D301
    return f"{path} can't be written: {error.strerror or error}."
