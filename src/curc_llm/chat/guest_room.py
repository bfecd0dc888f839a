"""Guests have a bounded room in the owner's account; the owner's own is bounded when a session starts."""

from __future__ import annotations

from pathlib import Path

from curc_llm.chats.people import GUEST_LIMITS, measure_room
from curc_llm.errors import SettingsError
from curc_llm.session.keys import OWNER


def refuse_full(state_dir: Path, user: str) -> None:
    """Refuses a guest whose room is full, before anything is kept.

    Args:
        state_dir: the owner's state folder.
        user: who asks.

    Raises:
        SettingsError: the room is full.
    """
    if user == OWNER:
        return
    room = measure_room(state_dir, user, GUEST_LIMITS.max_gib)
    if room.is_full:
        used, most = (f"{size / 2**20:,.0f} MiB" for size in (room.used_bytes, room.max_bytes))
        raise SettingsError(
            f"Your chats here take {used}; a guest may have {most}.",
            "Delete some of them, or export them and delete them.",
        )
