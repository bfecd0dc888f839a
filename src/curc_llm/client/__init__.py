"""The Python client: finds your running session and asks its model."""

from __future__ import annotations

from curc_llm.client.answer import Answer, Usage
from curc_llm.client.connect import connect
from curc_llm.client.health import Health
from curc_llm.client.session import Session
from curc_llm.client.stream import Stream

__all__ = ["Answer", "Health", "Session", "Stream", "Usage", "connect"]
