"""The session as a guest may see it: the models that were shared, and no word of folders or other people."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from curc_llm.chat.session_watch import Snapshot
from curc_llm.session.record import EngineRecord, SessionRecord, Trouble

ASK_OWNER = "Ask the session's owner, who sees why."


def make_guest_snapshot(snapshot: Snapshot, models: Collection[str] | None) -> Snapshot:
    """Takes out what isn't a guest's business.

    Args:
        snapshot: the session.
        models: names that the guest may use; None while that isn't known.
    """
    record = snapshot.record
    if record is None:
        return snapshot
    engines = tuple(_hide(e) for e in record.engines if models is None or e.served_model_name in models)
    reason = _hide_trouble(record.reason, "The session has ended.")
    shown: SessionRecord = record.model_copy(
        update={"engines": engines, "warnings": (), "reason": reason, "idle_stop_at": None}
    )
    return replace(snapshot, record=shown)


def _hide(engine: EngineRecord) -> EngineRecord:
    trouble = _hide_trouble(engine.trouble, "The model has stopped.")
    return engine.model_copy(update={"trouble": trouble, "detail": ""})


def _hide_trouble(trouble: Trouble | None, message: str) -> Trouble | None:
    return None if trouble is None else Trouble(code=trouble.code, message=message, remedy=ASK_OWNER)
