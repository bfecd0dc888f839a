"""Where results go that were given no file: the state folder, under a name that the same rows find again."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from curc_llm.batch.trouble import BatchFileError, describe_unwritable
from curc_llm.client.source import Source

FOLDER = "batches"
# Results without a file of their own are kept for so long after the last look at them.
KEPT_DAYS = 30


def make_default_path(source: Source, fingerprint: str) -> Path:
    """The file for a batch's results, in a folder that only its owner can enter; old ones are removed.

    Args:
        source: the session; its state folder is used where it is known.
        fingerprint: of the rows.

    Raises:
        BatchFileError: the folder can't be made.
    """
    folder = _state_dir(source) / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BatchFileError(
            describe_unwritable(folder, error), "Name a file for the results with output=."
        ) from None
    remove_old(folder, time.time() - KEPT_DAYS * 86400)
    return folder / f"{fingerprint}.jsonl"


def remove_old(folder: Path, before_s: float) -> None:
    """Removes results that nobody has added to since `before_s` (Unix time in seconds)."""
    for path in folder.glob("*.jsonl"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before_s:
                path.unlink()


def _state_dir(source: Source) -> Path:
    if source.paths is not None:
        return source.paths.root.parent.parent
    from curc_llm.sites.placement import load_site_settings

    return load_site_settings().state_dir
