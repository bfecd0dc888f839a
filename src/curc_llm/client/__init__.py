"""The Python client: finds your running session and asks its model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curc_llm.client.answer import Answer, Usage
    from curc_llm.client.connection import connect
    from curc_llm.client.health import Health
    from curc_llm.client.metrics import Metrics
    from curc_llm.client.session import Session
    from curc_llm.client.stream import Stream

__all__ = ["Answer", "Health", "Metrics", "Session", "Stream", "Usage", "connect"]

# Imported at first use: `curc-llm ls` needs nothing of HTTP.
_HOMES = {
    "Answer": "answer",
    "Health": "health",
    "Metrics": "metrics",
    "Session": "session",
    "Stream": "stream",
    "Usage": "answer",
    "connect": "connection",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
