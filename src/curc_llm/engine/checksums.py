"""Checksums: whether files on the disk are byte for byte what the hub has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BLOCK_BYTES = 1 << 22
# Hashing lets go of Python's lock. Login nodes are shared, so no more than this.
AT_ONCE = 2


def _skip(_: int) -> None:
    """Tells nobody."""


def sha256_of(path: Path, told: Callable[[int], None] = _skip) -> str:
    """SHA-256 of a file, hexadecimal: what the hub knows large files by."""
    return _digest(path, hashlib.sha256(), told)


def git_of(path: Path, told: Callable[[int], None] = _skip) -> str:
    """SHA-1 of a file as git makes it, with a head in front: what the hub knows small files by.

    Nothing is protected by it; it shows damage.

    Example:
        >>> git_of(Path("/dev/null"))
        'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    head = b"blob %d\0" % path.stat().st_size
    return _digest(path, hashlib.sha1(head, usedforsecurity=False), told)


def find_wrong(
    folder: Path, digests: Mapping[str, str], told: Callable[[int], None] = _skip
) -> dict[str, str]:
    """The files that aren't what they should be, each with the digest that it has.

    Args:
        folder: where they are.
        digests: SHA-256 (64 digits) or git's SHA-1 (40 digits) by path.
        told: is called with each number of bytes that were read, from several threads.

    Raises:
        OSError: a file can't be read.
    """

    def check(path: str) -> str:
        digest = sha256_of if len(digests[path]) == 64 else git_of
        return digest(folder / path, told)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(digests, pool.map(check, digests), strict=True))
    return {path: digest for path, digest in found.items() if digest != digests[path]}


def _digest(path: Path, digest: hashlib._Hash, told: Callable[[int], None]) -> str:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            told(len(block))
    return digest.hexdigest()
