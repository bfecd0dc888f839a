"""What a guest learns of the session: whether the model answers, until when, and their own use.

Not its folders and warnings, which name the owner's files; nor what it costs, nor who else uses it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from curc_llm.gateway.metrics import Person
from curc_llm.session.keys import ApiKey
from curc_llm.session.shares import render_guest

_TOLD = (
    "version", "session_id", "owner", "host", "status", "port", "base_url", "chat_url", "started_at",
    "ready_at", "heartbeat_at", "idle_stop_at", "ends_at", "ended_at",
)  # fmt: skip
_TOLD_OF_ENGINES = (
    "served_model_name", "phase", "progress", "phase_since", "expected_ready_s", "started_at", "ready_at",
    "restarts", "max_model_len", "runner",
)  # fmt: skip


def render_guest_status(
    record: dict[str, Any], share: ApiKey, used: Person | None, now: float
) -> dict[str, Any]:
    """The record as a guest sees it.

    Args:
        record: the whole one.
        share: the guest's.
        used: what they have used; None for nothing yet.
        now: Unix time in seconds.
    """
    told = {name: record[name] for name in _TOLD if name in record}
    engines = [
        {name: engine[name] for name in _TOLD_OF_ENGINES if name in engine}
        for engine in record.get("engines") or ()
        if not share.models or set(share.models) & _list_names(engine)
    ]
    guest = {"name": render_guest(share.name), "expires_at": share.expires_at, **asdict(used or Person())}
    return {**told, "engines": engines, "guest": guest, "gateway": {"now": now}}


def _list_names(engine: dict[str, Any]) -> set[str]:
    """What an engine's model and its adapters are called."""
    return {str(engine.get("served_model_name")), *(one["name"] for one in engine.get("adapters") or ())}
