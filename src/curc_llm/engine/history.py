"""How long earlier starts took, so that people who wait can be told how long it is likely to take."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

from curc_llm.session.files import append_jsonl

# Starts get faster once code is compiled, so old ones say little.
LAST_STARTS = 5
# Only the file's end is read: it holds thousands of starts.
READ_BYTES = 256 * 1024


class StartHistory:
    """Seconds from start to ready per model and type of machine, in a file that sessions share.

    Each start is one appended line, so several sessions may write at once. Nothing here ever fails: a history
    that can't be read or written is no reason not to serve a model.

    Args:
        path: the file, for example `<state_dir>/starts.jsonl`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, model: str, gpu_type: str, seconds: float) -> None:
        """Remembers one start.

        Args:
            model: folder or Hugging Face id.
            gpu_type: what it ran on, `cpu` or a GPU's name.
            seconds: from the engine's start until it could answer.
        """
        row = {"model": model, "gpu_type": gpu_type, "ready_s": round(seconds, 1), "at": round(time.time())}
        try:
            append_jsonl(self._path, row)
        except OSError:
            return  # full or read-only: the next start merely has no estimate

    def estimate(self, model: str, gpu_type: str) -> float | None:
        """Seconds that a start is likely to take: the median of the last five, None without any."""
        rows = [row for row in self._rows() if (row.get("model"), row.get("gpu_type")) == (model, gpu_type)]
        seconds = [row["ready_s"] for row in rows if _is_seconds(row.get("ready_s"))]
        return float(statistics.median(seconds[-LAST_STARTS:])) if seconds else None

    def _rows(self) -> list[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, self._path.stat().st_size - READ_BYTES))
                lines = file.read().splitlines()
        except OSError:
            return []
        rows = [_parse(line) for line in lines]
        return [row for row in rows if row is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 86400
