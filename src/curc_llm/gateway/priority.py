"""Who goes first: people who wait for an answer before programs that work through a list."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from curc_llm.session.keys import ApiKey

# What vLLM is told (`--scheduling-policy priority`): lower goes first, 0 is its default.
BATCH_VALUE = 10
# A client's own number never matters more than this; it only sorts its own kind.
_LOWEST = 1000


class Priority(StrEnum):
    """The class of a request."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


def choose_priority(key: ApiKey | None, header: str, own: Any) -> Priority:
    """The class of a request; who asks can lower it, never raise it.

    Args:
        key: None for the owner by cookie or private socket.
        header: what `X-Curc-Llm-Priority` says; empty without.
        own: the request's field `priority`, as vLLM understands it: above 0 is later.

    Example:
        >>> choose_priority(None, "", None)
        <Priority.INTERACTIVE: 'interactive'>
        >>> choose_priority(None, "", 1)
        <Priority.BATCH: 'batch'>
    """
    lowers = (isinstance(own, int) and own > 0) or header.strip().lower() == Priority.BATCH
    return Priority.BATCH if lowers or (key is not None and is_batch_key(key)) else Priority.INTERACTIVE


def is_batch_key(key: ApiKey) -> bool:
    """Whether all that is asked with a key is batch work: it says so, or batch work is all that it may do."""
    return key.priority == Priority.BATCH or (
        not key.priority and "batch" in key.scopes and "chat" not in key.scopes
    )


def choose_value(priority: Priority, own: Any) -> int:
    """The number that vLLM is told.

    Example:
        >>> choose_value(Priority.INTERACTIVE, -5), choose_value(Priority.BATCH, 0)
        (0, 10)
    """
    lowest = BATCH_VALUE if priority is Priority.BATCH else 0
    return max(lowest, min(own, _LOWEST)) if isinstance(own, int) else lowest
