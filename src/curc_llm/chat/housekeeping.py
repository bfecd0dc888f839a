"""What the chat does once when a session starts: settles what dead processes left, keeps to the limits.

The page states the limits, so that nobody is surprised by them.
"""

from __future__ import annotations

import logging
from functools import cache

from curc_llm.chat.options import ChatOptions
from curc_llm.chats.people import GUEST_LIMITS, open_store, tidy_guests
from curc_llm.chats.purge import Limits, keep_house
from curc_llm.errors import CurcLlmError
from curc_llm.session.keys import OWNER
from curc_llm.settings import load_settings

_log = logging.getLogger("curc_llm.chat")
PINNED = "Pinned ones are never removed."
UPLOADS = (
    "Uploaded files are gone once they are read; what the model was given of them is kept with their chat."
)


@cache
def explain_limits(is_owner: bool) -> str:
    """What becomes of chats and uploads, in words; empty when the person's settings can't be read.

    Args:
        is_owner: False for a guest, whose limits aren't a matter of settings.
    """
    try:
        limits = _read_limits() if is_owner else GUEST_LIMITS
    except (CurcLlmError, OSError):
        return ""
    return f"{limits.text} {PINNED} {UPLOADS}"


def _read_limits() -> Limits:
    settings = load_settings()
    return Limits(settings.chats_keep_days, settings.chats_max_gib)


def keep_house_of_all(options: ChatOptions) -> list[str]:
    """Keeps house for the owner and for guests. Nothing here may keep the chat from starting.

    Args:
        options: with the state folder. The limits are the person's own settings.

    Returns:
        What was removed, a sentence each; also in the log.
    """
    said = []
    try:
        said = [
            keep_house(open_store(options.state_dir, OWNER), _read_limits()),
            *tidy_guests(options.state_dir),
        ]
    except (CurcLlmError, OSError) as error:
        said.append(f"Saved chats couldn't be looked after: {error}")
    said = [text for text in said if text]
    for text in said:
        _log.warning(text)
    return said
