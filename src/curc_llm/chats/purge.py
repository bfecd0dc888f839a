"""How much may be kept and for how long, and what is removed when it is more.

In this order: chats that were deleted long enough ago, then chats older than `keep_days`, then the oldest
until all fit into `max_gib`, deleted ones first. Pinned chats are never removed, nor is one that was changed
within the last day. Nothing is removed unless somebody asks for it (`curc-llm chats purge`), or a session's
chat starts.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.names import PART, Stamp, scan
from curc_llm.chats.store import ChatStore
from curc_llm.chats.summary import ChatSummary

DAY_S = 86400.0
DELETED_KEEP_DAYS = 30.0
QUIET_DAYS = 1.0
GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """What may be kept.

    Args:
        keep_days: days since a chat was last changed (imported, too); 0 for ever.
        max_gib: of all chats together, in GiB; 0 without limit.
        deleted_keep_days: days that a deleted chat can be brought back.
    """

    keep_days: float = 0.0
    max_gib: float = 1.0
    deleted_keep_days: float = DELETED_KEEP_DAYS

    @property
    def text(self) -> str:
        """In words.

        Example:
            >>> Limits().text
            'Chats are kept for ever, up to 1 GiB in all; deleted ones for 30 days.'
        """
        long = f"for {self.keep_days:g} days" if self.keep_days else "for ever"
        much = f", up to {self.max_gib:g} GiB in all" if self.max_gib else ""
        return f"Chats are kept {long}{much}; deleted ones for {self.deleted_keep_days:g} days."


@dataclass(frozen=True)
class Victim:
    """A chat that is to be removed.

    Args:
        summary: of the chat.
        why: in words.
    """

    summary: ChatSummary
    why: str


@dataclass(frozen=True)
class Purge:
    """What is to be removed, or was.

    Args:
        victims: the chats, the first to go first.
        num_bytes: that all chats take now.
        limits: that it was made for.
    """

    victims: tuple[Victim, ...]
    num_bytes: int
    limits: Limits

    @property
    def freed_bytes(self) -> int:
        """What their files take."""
        return sum(victim.summary.num_bytes for victim in self.victims)

    def render(self, *, is_done: bool) -> str:
        """In words.

        Args:
            is_done: whether they are gone.
        """
        size = f"All saved chats take {_render_bytes(self.num_bytes)}. {self.limits.text}"
        if not self.victims:
            return f"{size} Nothing is to be removed."
        num = len(self.victims)
        what = f"{num:,} chat{'' if num == 1 else 's'} with {_render_bytes(self.freed_bytes)}"
        verb = ("was" if num == 1 else "were") if is_done else "would be"
        return f"{size} {what} {verb} removed."


def plan_purge(store: ChatStore, limits: Limits, now: float | None = None) -> Purge:
    """What would be removed.

    Args:
        store: the chats.
        limits: what may be kept.
        now: Unix time in seconds.

    Raises:
        ChatFileError: the folder can't be read.
    """
    now = time.time() if now is None else now
    gone, kept = list(store.list(deleted=True)), list(store.list())
    num_bytes = sum(one.num_bytes for one in gone + kept)
    quiet = [
        one for one in (*reversed(gone), *sorted(kept, key=lambda one: one.changed_at)) if _is_quiet(one, now)
    ]
    victims = {one.chat_id: Victim(one, why) for one in quiet if (why := _find_reason(one, limits, now))}
    left = num_bytes - sum(victim.summary.num_bytes for victim in victims.values())
    for one in quiet:
        if not limits.max_gib or left <= limits.max_gib * GIB:
            break
        if one.chat_id not in victims and not one.is_pinned:
            victims[one.chat_id] = Victim(one, f"all chats take more than {limits.max_gib:g} GiB")
            left -= one.num_bytes
    return Purge(tuple(victims.values()), num_bytes, limits)


def purge(store: ChatStore, plan: Purge) -> Purge:
    """Removes what was planned, but for what changed since.

    Returns:
        What is gone.
    """
    found = scan(store.folder).chats
    removed = [v for v in plan.victims if _remove(store, v.summary, found.get(v.summary.chat_id, []))]
    return Purge(tuple(removed), plan.num_bytes, plan.limits)


def keep_house(store: ChatStore, limits: Limits) -> str:
    """What a session's chat does when it starts: settles what dead processes left, and keeps to the limits.

    Returns:
        What was removed, in words; empty when nothing was.

    Raises:
        ChatFileError: the folder can't be read.
    """
    tidy(store)
    done = purge(store, plan_purge(store, limits))
    return done.render(is_done=True) if done.victims else ""


def tidy(store: ChatStore, now: float | None = None) -> int:
    """Turns what processes left when they died into answers of their chats: pieces a day old.

    Returns:
        How many answers that were.
    """
    now = time.time() if now is None else now
    num = 0
    for chat_id, files in scan(store.folder).chats.items():
        parts = [one for one in files if one.is_part and now - one.mtime_ns / 1e9 > QUIET_DAYS * DAY_S]
        with contextlib.suppress(ChatFileError, OSError):
            num += _settle(store, chat_id, parts) if parts else 0
    return num


def _settle(store: ChatStore, chat_id: str, parts: Sequence[Stamp]) -> int:
    writer = store.write(chat_id)
    num = 0
    for part in parts:
        message_id = part.name.removesuffix(PART).rpartition("~")[2]
        message = writer.chat.messages.get(message_id)
        if message is not None and message.status == "unfinished":
            writer.add_lines([message.to_line()])
            num += 1
        if writer.trouble is None:
            (store.folder / part.name).unlink(missing_ok=True)
    return num


def _find_reason(one: ChatSummary, limits: Limits, now: float) -> str:
    if one.is_pinned:
        return ""
    if one.deleted_at is not None:
        days = (now - one.deleted_at) / DAY_S
        return f"deleted {days:.0f} days ago" if days > limits.deleted_keep_days else ""
    days = (now - one.changed_at) / DAY_S
    return f"{days:.0f} days old" if limits.keep_days and days > limits.keep_days else ""


def _is_quiet(one: ChatSummary, now: float) -> bool:
    return now - one.changed_at > QUIET_DAYS * DAY_S


def _remove(store: ChatStore, summary: ChatSummary, files: Sequence[Stamp]) -> bool:
    """Removes a chat's files, the main one last: what an interrupted purge leaves is still a chat."""
    if sum(one.size for one in files) != summary.num_bytes:
        return False
    main = f"{summary.chat_id}.jsonl"
    try:
        for one in sorted(files, key=lambda one: one.name == main):
            (store.folder / one.name).unlink(missing_ok=True)
    except OSError:
        return False
    return bool(files)


def _render_bytes(num_bytes: int) -> str:
    return f"{num_bytes / GIB:,.2f} GiB" if num_bytes >= GIB / 10 else f"{num_bytes / 2**20:,.1f} MiB"
