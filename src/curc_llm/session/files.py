"""Writing files so that a reader never sees half of one, and nobody else sees any of it."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any


def write_private(path: Path, text: str) -> None:
    """Replaces a file at once with one that only its owner can read (mode 0600).

    The new content is written beside the old one and renamed over it, so that a reader on any node sees
    either the old or the new file.

    Raises:
        OSError: the folder can't be written, or the disk is full. The old file is left as it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file as `write_private` does."""
    write_private(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def append_jsonl(path: Path, value: dict[str, Any]) -> None:
    """Appends one JSON object as one line, in one write, to a file of mode 0600."""
    line = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
