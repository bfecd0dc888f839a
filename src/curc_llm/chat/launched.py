"""What the session was launched with, as far as the page tells of it: cost, and where its logs are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from curc_llm.errors import CurcLlmError
from curc_llm.session.cost import Cost, make_cost
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.spec import LaunchSpec, read_launch_spec

SESSIONS = "sessions"
UNIT = "SU"


@dataclass(frozen=True)
class Launched:
    """Of one session.

    Args:
        cost: None where nothing is charged, or where it isn't known.
        logs: the folder of the logs; empty when it isn't there.
    """

    cost: Cost | None = None
    logs: str = ""


class LaunchedWith:
    """Reads it once.

    Args:
        state_dir: the owner's state folder.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._spec: LaunchSpec | None = None
        self._is_read = False

    def find(self, record: SessionRecord | None) -> Launched:
        """What is known of the session; blocks for a file when it is asked first."""
        if record is None:
            return Launched()
        paths = SessionPaths(self._state_dir / SESSIONS / record.session_id)
        if not self._is_read:
            self._spec, self._is_read = _read(paths.spec), True
        logs = str(paths.logs) if paths.logs.is_dir() else ""
        return Launched(make_cost(record, self._spec, UNIT), logs)


def _read(path: Path) -> LaunchSpec | None:
    try:
        return read_launch_spec(path)
    except CurcLlmError:
        return None
