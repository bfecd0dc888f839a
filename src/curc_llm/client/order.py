"""What only a session's owner may ask of it: to start again, for replicas, for more time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curc_llm.client.source import root_url
from curc_llm.client.wire import post_json
from curc_llm.errors import ApiError

if TYPE_CHECKING:
    from curc_llm.client.source import Source

ACCEPTED = 202


def send_order(source: Source, path: str, values: dict[str, Any]) -> dict[str, Any]:
    """Sends a wish of the owner's to the session; returns at once with what it understood.

    Args:
        source: the session; its key must be the owner's.
        path: `/restart`, `/scale` or `/extend`.
        values: the fields of the body; see docs/architecture.md.

    Raises:
        ApiError: the session refuses it, or doesn't answer.
        SessionNotReadyError, SessionEndedError: it has no address yet, or is over.
    """
    url = root_url(source.base_url()) + path
    try:
        status, body = post_json(url, source.secret(), values)
    except OSError as error:
        remedy = f"Look at: curc-llm status {source.name}"
        raise ApiError(f"Session {source.name} doesn't answer ({error}).", remedy) from error
    if status != ACCEPTED:
        told = body.get("error") or {}
        message = str(told.get("message") or f"Session {source.name} answered with HTTP {status}.")
        raise ApiError(message, f"See how it is: curc-llm status {source.name}", status=status)
    return body
