"""Whether a session can answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Health:
    """What `GET /health` says. It is true when at least one model can answer.

    Args:
        ready: a model can answer.
        phase: what the session is doing, such as `loading`; `unreachable` when nothing answers.

    Example:
        >>> bool(Health(ready=False, phase="loading"))
        False
    """

    ready: bool
    phase: str

    def __bool__(self) -> bool:
        return self.ready


def parse_health(status: int, body: dict[str, Any]) -> Health:
    """Health from an answer; while not ready the phase is in `status`, `phase` or an API error's `phase`."""
    error = body.get("error")
    phase = (
        body.get("phase") or body.get("status") or (error.get("phase") if isinstance(error, dict) else None)
    )
    return Health(status == 200, str(phase or ("ready" if status == 200 else "not ready")))
