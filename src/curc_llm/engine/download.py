"""Downloads a model before its engine starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DownloadProgress:
    """How far a download is.

    Args:
        done_gib: GiB that are there.
        total_gib: GiB of the whole model.
        files: number of files.
        path: the model's folder; only in the last one, when all is there.
        revision: the commit that was downloaded; only in the last one.
    """

    done_gib: float
    total_gib: float
    files: int
    path: Path | None = None
    revision: str | None = None


def run_download(
    model: str, revision: str | None, *, python: str, hf_home: Path, offline: bool = False
) -> AsyncIterator[DownloadProgress]:
    """Downloads a model in a child process and tells how far it is; the last item has the path.

    Raises:
        DownloadError: it can't be downloaded; says why and what to do. `error.code` is stable.
    """
    raise NotImplementedError
