"""Checksums as the hub states them, of real files and as git and sha256sum compute them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from curc_llm.engine.checksums import find_wrong, git_of, sha256_of


def test_checksums_are_those_of_git_and_sha256sum(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 5_000_000)
    git = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True)
    sha = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    assert git_of(path) == git.stdout.strip()
    assert sha256_of(path) == sha.stdout.split()[0]


def test_one_wrong_byte_is_found_and_all_bytes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"right")
    (tmp_path / "b").write_bytes(b"right")
    digests = {"a": sha256_of(tmp_path / "a"), "b": git_of(tmp_path / "b")}
    counts: list[int] = []
    assert find_wrong(tmp_path, digests, counts.append) == {}
    assert sum(counts) == 10
    (tmp_path / "b").write_bytes(b"wrong")
    assert list(find_wrong(tmp_path, digests)) == ["b"]
