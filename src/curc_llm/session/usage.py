"""What each person used of a session, from its access log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Usage:
    """What was used under one name.

    Args:
        requests: that have ended.
        prompt_tokens: sent.
        completion_tokens: generated.
        last_at: Unix time of the last request in seconds, None before the first.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    last_at: float | None = None

    def add(self, line: dict[str, Any]) -> None:
        """Counts one line of the log."""
        self.requests += 1
        self.prompt_tokens += line.get("prompt_tokens") or 0
        self.completion_tokens += line.get("completion_tokens") or 0
        self.last_at = max(self.last_at or 0.0, float(line.get("time") or 0.0))


def read_usage(access_log: Path) -> dict[str, Usage]:
    """Use by name of the key; empty without a log. Broken lines are left out."""
    used: dict[str, Usage] = {}
    try:
        with access_log.open(encoding="utf-8", errors="replace") as lines:
            for text in lines:
                _count(text, used)
    except OSError:
        pass
    return used


def _count(text: str, used: dict[str, Usage]) -> None:
    try:
        line = json.loads(text)
        used.setdefault(str(line["key"]), Usage()).add(line)
    except (ValueError, KeyError, TypeError, AttributeError):
        return
