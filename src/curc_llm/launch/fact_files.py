"""The fact files that a launch was planned with, as a short name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
SHIPPED = ("*.yml", "catalogue/*.yml", "sites/*.yml")


def digest_facts(catalogues: Iterable[Path] = ()) -> str:
    """A short name for what the shipped fact files and these catalogues say; it changes when they do."""
    digest = hashlib.sha256()
    shipped = [path for pattern in SHIPPED for path in sorted(DATA.glob(pattern))]
    for path in (*shipped, *catalogues):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
