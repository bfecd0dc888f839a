"""The picker as a part of a widget: which of several sessions is meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from curc_llm.chat.durations import render_duration
from curc_llm.client.source import LocalSource
from curc_llm.errors import SessionNotFoundError, SpecError
from curc_llm.launch.queued import discover_sessions
from curc_llm.notebook.card_state import SETTLED, STATUS_WORDS
from curc_llm.session.record import SessionRecord, SessionStatus
from curc_llm.session.store import FoundSession
from curc_llm.spec import read_launch_spec

State = dict[str, Any]


class PickerPart:
    """A list of sessions with a button each.

    Args:
        sessions: those to choose from.
        state_dir: where to look for them again.
        on_change: called when there is something new to show.
        on_picked: called with the session that was chosen.
    """

    def __init__(
        self,
        sessions: Sequence[FoundSession],
        state_dir: Path,
        on_change: Callable[[], None],
        on_picked: Callable[[LocalSource], None],
    ) -> None:
        self._sessions = list(sessions)
        self._state_dir = state_dir
        self._on_change, self._on_picked = on_change, on_picked
        self.picked = ""

    def make_state(self) -> State:
        """What the page shows."""
        return {"sessions": [make_row(found) for found in self._sessions], "picked": self.picked}

    def refresh(self, _: Any = None) -> Mapping[str, Any]:
        """Looks for sessions again."""
        self._sessions = discover_sessions(self._state_dir)
        self._on_change()
        return {}

    def pick(self, data: Any) -> Mapping[str, Any]:
        """Connects to one of them.

        Raises:
            SessionNotFoundError: it isn't in the list.
        """
        name = data.get("name") if isinstance(data, Mapping) else None
        found = next((s for s in self._sessions if s.session_id == name), None)
        if found is None:
            raise SessionNotFoundError(f"There is no session {name!r} any more.", "Look again.")
        self.picked = found.session_id
        self._on_picked(LocalSource(found.paths))
        return {}

    def render_text(self) -> str:
        """The list as text, with what to type."""
        rows = [make_row(found) for found in self._sessions]
        lines = [f'  curc_llm.connect("{r["name"]}")   {r["models"]}, {r["status"].lower()}' for r in rows]
        return "\n".join(["You have several sessions. Connect to one of them:", *lines])


def make_row(found: FoundSession) -> State:
    """One session's line: model, GPU, status, time left, owner."""
    record = found.record
    return {
        "name": found.session_id,
        "models": ", ".join(engine.served_model_name for engine in record.models) or "?",
        "gpu": _name_gpu(found),
        "status": _describe(record),
        "is_ready": record.status is SessionStatus.READY,
        "ends_at": record.ends_at,
        "owner": record.owner,
        "host": record.host,
    }


def _describe(record: SessionRecord) -> str:
    """How far it is, and how long it may still take."""
    busy = next((e for e in record.models if e.phase not in SETTLED), None)
    if record.status is SessionStatus.QUEUED and busy is not None and busy.detail:
        return f"{STATUS_WORDS[record.status]}: {busy.detail}"
    if busy is None or record.status is not SessionStatus.STARTING:
        return STATUS_WORDS[record.status]
    left_s = (busy.expected_ready_s or 0.0) - (time.time() - (busy.started_at or time.time()))
    wait = f", ready in about {render_duration(left_s)}" if left_s > 0 else ""
    return f"{str(busy.phase).capitalize()}{wait}"


def _name_gpu(found: FoundSession) -> str:
    try:
        spec = read_launch_spec(found.paths.spec)
    except SpecError:
        return ""
    if spec.slurm is not None:
        return spec.slurm.gres.removeprefix("gpu:").replace(":", " × ") or "no GPU"
    return "this machine" if spec.device == "cuda" else "this machine's CPU"
