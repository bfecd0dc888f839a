"""One line for each request that was let in: who, which model, how many tokens, how long. Never any text.

Only `log_prompts`, which is off unless the owner turns it on, adds what was asked and answered.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from curc_llm.gateway.events import Usage

# Of an answer that is logged because the owner asked for it, no more than this is kept.
_MAX_ANSWER_BYTES = 1024 * 1024


@dataclass
class Entry:
    """What one request becomes in the log.

    Args:
        request_id: also sent to the client and the engine.
        route: the path without prefix, or `chat` for what came by the private socket.
        key_name: the key's name.
        replica: the engine that answered, or was the last to fail.
        priority: the request's class.
        queued_s: seconds that it waited for a slot of an engine.
        retries: how often it was sent again, to another replica, since one had failed before its first byte.
    """

    request_id: str
    route: str
    key_name: str
    model: str | None = None
    stream: bool = False
    replica: str = ""
    priority: str = ""
    queued_s: float = 0.0
    retries: int = 0
    usage: Usage = field(default_factory=Usage)
    status: int = 0
    bytes_sent: int = 0
    started_at: float = field(default_factory=time.time)
    started: float = field(default_factory=time.perf_counter)
    first_token_s: float | None = None
    asked: Any = None
    answered: list[bytes] | None = None
    _answered_bytes: int = 0

    def note_first_byte(self) -> None:
        """The first bytes of the answer have come."""
        self.first_token_s = time.perf_counter() - self.started

    def keep_answer(self, data: bytes) -> None:
        """Keeps bytes of the answer, for `log_prompts` only."""
        if self.answered is not None and self._answered_bytes < _MAX_ANSWER_BYTES:
            self.answered.append(data)
            self._answered_bytes += len(data)

    @property
    def total_s(self) -> float:
        """Seconds since the request came."""
        return time.perf_counter() - self.started

    def render(self) -> dict[str, Any]:
        """The line's values. Times are in ms, `time` is Unix time in seconds."""
        line = {
            "time": round(self.started_at, 3),
            "request_id": self.request_id,
            "route": self.route,
            "key": self.key_name,
            "model": self.model,
            "stream": self.stream,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "first_token_ms": None if self.first_token_s is None else round(self.first_token_s * 1000, 1),
            "total_ms": round(self.total_s * 1000, 1),
            "status": self.status,
            "bytes": self.bytes_sent,
            "replica": self.replica,
            "priority": self.priority,
            "queued_ms": round(self.queued_s * 1000, 1),
            "retries": self.retries,
        }
        if self.answered is not None:
            line |= {"asked": self.asked, "answered": b"".join(self.answered).decode("utf-8", "replace")}
        return line
