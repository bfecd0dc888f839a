"""Starting a session's models again that have failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curc_llm.client.order import send_order

if TYPE_CHECKING:
    from curc_llm.client.source import Source


def restart_models(source: Source, model: str | None = None) -> list[str]:
    """Starts a model again, or all that have failed for good; returns at once, with their names.

    Args:
        source: the session; its key must be the owner's.
        model: served model name; None for all that have failed.

    Raises:
        ApiError: nothing has failed, there is no such model, the session ends, or it doesn't answer.
        SessionNotReadyError, SessionEndedError: it has no address yet, or is over.
    """
    body = send_order(source, "/restart", {"model": model} if model else {})
    return [str(name) for name in body.get("models") or ()]
