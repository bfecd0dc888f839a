"""Half-fetched files: kept when a download stops for whatever reason, and taken up where they end.

huggingface_hub throws away what it has of a file when it is stopped. With shards of many GiB that is hours of
work: so large files are fetched here, beside its cache's blobs, and become blobs once their SHA-256 is right.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants, hf_hub_url
from huggingface_hub.file_download import http_get
from huggingface_hub.utils._headers import build_hf_headers

from curc_llm.engine.checksums import sha256_of

AT_ONCE = 4
# What plain HTTP serves of the hub; larger files come through its own protocol alone (constants.py).
MAX_BYTES = constants.MAX_HTTP_DOWNLOAD_SIZE
# A download that lives writes at least this often (ten seconds' time-out, five attempts); then it is dead.
SILENT_S = 90.0
LEFT = ".left.incomplete"


@dataclass(frozen=True)
class LargeFile:
    """A file of a model that lies in the hub's large file storage, which knows it by its SHA-256."""

    path: str
    sha256: str
    size: int


def fetch_large(repo_id: str, commit: str, files: Iterable[LargeFile], blobs: Path) -> list[str]:
    """Fetches large files into the cache's blobs, beginning with what earlier downloads left.

    Args:
        repo_id: the model.
        commit: its revision.
        files: what is missing of it.
        blobs: the cache's folder for them.

    Returns:
        The paths of the files that arrived and have the right SHA-256.

    Raises:
        Exception: huggingface_hub's own, or OSError; what is there stays for the next time.
    """
    blobs.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = {pool.submit(_fetch_one, repo_id, commit, file, blobs): file.path for file in files}
        wait(tasks, return_when=FIRST_EXCEPTION)
        for task in tasks:
            task.cancel()
        done = [task for task in tasks if not task.cancelled()]
        return [tasks[task] for task in done if task.result()]


def _fetch_one(repo_id: str, commit: str, file: LargeFile, blobs: Path) -> bool:
    """Fetches one file; False when its content is wrong, and then nothing of it stays."""
    with _claimed(blobs, file) as path:
        have = path.stat().st_size
        if have > file.size:
            os.truncate(path, 0)
            have = 0
        url = hf_hub_url(repo_id, file.path, revision=commit)
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        with path.open("r+b") as target:
            target.seek(have)
            http_get(url, target, resume_size=have, headers=headers, expected_size=file.size)
        if sha256_of(path) != file.sha256:
            path.unlink()
            return False
        path.replace(blobs / file.sha256)
        return True


@contextmanager
def _claimed(blobs: Path, file: LargeFile) -> Iterator[Path]:
    """A file to write into that no other process has: renaming is what makes it ours, on any file system."""
    mine = blobs / f"{file.sha256}.{uuid.uuid4().hex[:8]}.incomplete"
    for left in sorted(_list_left(blobs, file.sha256), key=_size, reverse=True):
        with suppress(OSError):
            left.unlink() if mine.exists() else left.rename(mine)
    # A cache may be shared: the umask decides who reads.
    mine.touch()
    try:
        yield mine
    except BaseException:
        keep(mine)
        raise


def _list_left(blobs: Path, sha256: str) -> list[Path]:
    found = blobs.glob(f"{sha256}.*.incomplete")
    return [path for path in found if path.name.endswith(LEFT) or _is_silent(path)]


def _is_silent(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > SILENT_S
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def keep(path: Path) -> None:
    """Marks a half-fetched file as nobody's, so that the next download may take it up at once."""
    with suppress(OSError):
        path.rename(path.with_name(path.name.removesuffix(".incomplete") + LEFT))


def is_large(path: Path) -> bool:
    """Whether a half-fetched file is one of those that can be taken up: named after a SHA-256."""
    return len(path.name.partition(".")[0]) == 64


def list_open(blobs: Path) -> list[Path]:
    """The half-fetched files that this process is writing (Linux; empty elsewhere)."""
    found = []
    with suppress(OSError):
        for link in os.scandir("/proc/self/fd"):
            with suppress(OSError):
                target = Path(link.path).readlink()
                if target.name.endswith(".incomplete") and target.parent == blobs.resolve():
                    found.append(target)
    return found
