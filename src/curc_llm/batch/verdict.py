"""What an answer means for its row: done, failed for good, to be asked again, or the end of the batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from curc_llm.batch.wire import Reply
from curc_llm.client.wire import parse_object

# Answers of the gateway that say: not now. The request wasn't begun.
NOT_NOW_CODES = {"model_loading", "engine_restarting", "session_ending", "keys_unavailable"}
# The engine died while it answered.
ENGINE_CODES = {"engine_failed"}
MAX_WAIT_S = 60.0


class Fate(Enum):
    """What becomes of a row."""

    DONE = "done"
    FAILED = "failed"  # the same request would fail again
    BUSY = "busy"  # too many requests: wait, and ask less at once
    AWAY = "away"  # nobody could answer, and nothing was begun
    BROKEN = "broken"  # it was begun and broke off
    REFUSED = "refused"  # the key or the model isn't accepted: true for all rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means.

    Args:
        fate: what becomes of the row.
        document: the answer's JSON object; empty when it was none.
        code, message: of the error; empty when there was none.
        wait_s: seconds to wait before the row is asked again.
    """

    fate: Fate
    document: dict[str, Any]
    code: str = ""
    message: str = ""
    wait_s: float | None = None


def judge(reply: Reply) -> Verdict:
    """What an answer means.

    Example:
        >>> judge(Reply(200, {}, b'{"choices": []}')).fate
        <Fate.DONE: 'done'>
        >>> judge(Reply(429, {"retry-after": "3"}, b"")).wait_s
        3.0
    """
    document = parse_object(reply.body)
    if reply.status == 200 and document and not document.get("error"):
        return Verdict(Fate.DONE, document)
    code, message = _read_error(reply, document)
    return Verdict(
        _find_fate(reply.status, code, message), document, code, message, parse_retry_after(reply.headers)
    )


def _find_fate(status: int, code: str, message: str) -> Fate:
    if status == 429:
        return Fate.BUSY
    if code in NOT_NOW_CODES or (status == 503 and code not in ENGINE_CODES):
        return Fate.AWAY
    if status in {401, 403} or code == "model_not_found" or (status == 404 and "model" in message.lower()):
        return Fate.REFUSED
    if status >= 500 or status in {200, 408}:  # 200 without an object, or with an error in it
        return Fate.BROKEN
    return Fate.FAILED


def _read_error(reply: Reply, document: dict[str, Any]) -> tuple[str, str]:
    error = document.get("error")
    if not isinstance(error, dict):
        said = document.get("detail")
        why = f" ({said})" if isinstance(said, str) else ""
        return f"http_{reply.status}", f"The session answered with HTTP {reply.status}{why}."
    message = str(error.get("message") or f"The session answered with HTTP {reply.status}.")
    return str(error.get("code") or f"http_{reply.status}"), message


def parse_retry_after(headers: dict[str, str]) -> float | None:
    """Seconds of a Retry-After header, at most a minute; None when it has none."""
    try:
        value = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return min(max(value, 0.0), MAX_WAIT_S) if math.isfinite(value) else None
