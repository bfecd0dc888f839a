"""Who was let in and who was refused, written down without any secret."""

from __future__ import annotations

import time
from typing import Any

from curc_llm.gateway.logfile import JsonlFile


class Audit:
    """The audit log.

    Args:
        file: where it is written.
    """

    def __init__(self, file: JsonlFile) -> None:
        self._file = file

    def record(self, event: str, **fields: Any) -> None:
        """Writes down one event, such as `login` or `refused`."""
        self._file.append({"time": round(time.time(), 3), "part": "gateway", "event": event, **fields})
