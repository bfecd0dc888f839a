"""Starting a session's models again that have failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curc_llm.client.source import root_url
from curc_llm.client.wire import post_json
from curc_llm.errors import ApiError

if TYPE_CHECKING:
    from curc_llm.client.source import Source

ACCEPTED = 202


def restart_models(source: Source, model: str | None = None) -> list[str]:
    """Starts a model again, or all that have failed for good; returns at once, with their names.

    Args:
        source: the session; its key must be the owner's.
        model: served model name; None for all that have failed.

    Raises:
        ApiError: nothing has failed, there is no such model, the session ends, or it doesn't answer.
        SessionNotReadyError, SessionEndedError: it has no address yet, or is over.
    """
    url = root_url(source.base_url()) + "/restart"
    try:
        status, body = post_json(url, source.secret(), {"model": model} if model else {})
    except OSError as error:
        remedy = f"Look at: curc-llm status {source.name}"
        raise ApiError(f"Session {source.name} doesn't answer ({error}).", remedy) from error
    if status != ACCEPTED:
        told = body.get("error") or {}
        message = str(told.get("message") or f"Session {source.name} answered with HTTP {status}.")
        raise ApiError(message, f"See how it is: curc-llm status {source.name}", status=status)
    return [str(name) for name in body.get("models") or ()]
