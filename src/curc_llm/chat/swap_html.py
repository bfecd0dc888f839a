"""The way to another model, beside the model's name in the settings."""

from __future__ import annotations

from curc_llm.chat.escaping import escape_line
from curc_llm.chat.session_watch import Snapshot
from curc_llm.session.record import EngineRecord, SessionStatus


def record_is_open(snapshot: Snapshot) -> bool:
    """Whether the session goes on, so that something of it can be changed."""
    record = snapshot.record
    return record is not None and not record.status.is_over and record.status is not SessionStatus.DRAINING


def render_swap(engine: EngineRecord | None, *, may_swap: bool) -> str:
    """Writes the button; empty for those who may not, and while another model takes the place already.

    Args:
        engine: of the model that the page talks to.
        may_swap: whether this person may.

    Example:
        >>> render_swap(None, may_swap=True)
        ''
    """
    if engine is None or not may_swap or engine.swap is not None:
        return ""
    name = escape_line(engine.served_model_name)
    return (
        '<p class="curc-none"><button type="button" class="curc-link" data-curc-do="swap-list" '
        f'data-curc-value="{name}">Exchange {name} for another model …</button></p>'
    )
