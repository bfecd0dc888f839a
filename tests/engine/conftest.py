from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB, for tests that fill it. Needs root."""
    yield from mount(tmp_path / "disk", mib=1)


@pytest.fixture
def large_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with just enough room for a download of 17 MiB and what is kept free beside it."""
    yield from mount(tmp_path / "disk", mib=280)


def mount(folder: Path, mib: int) -> Iterator[Path]:
    folder.mkdir()
    if os.getuid() != 0:
        pytest.skip("mounting needs root")
    options = f"size={mib}m,mode=700"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(path: Path) -> None:
    """Takes all the room that is left."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        for step in (1 << 20, 4096):
            try:
                while True:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
            except OSError:
                continue
