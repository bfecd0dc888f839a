"""When it makes sense to ask again for a model that is on its way."""

from __future__ import annotations

import time
from typing import Any

_LEAST_S, _MOST_S = 2, 30


def estimate_wait_s(engine: dict[str, Any], unknown_s: int) -> int:
    """Seconds until an engine can answer, as far as its earlier starts tell; from 2 to 30.

    Args:
        engine: its record.
        unknown_s: what is said when nobody knows.

    Example:
        >>> estimate_wait_s({"expected_ready_s": 20.0, "started_at": time.time() - 60}, 5)
        2
    """
    expected_s, started_at = engine.get("expected_ready_s"), engine.get("started_at")
    if expected_s is None or started_at is None:
        return unknown_s
    return int(min(max(started_at + expected_s - time.time(), _LEAST_S), _MOST_S))
