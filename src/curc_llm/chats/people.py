"""Whose chats lie where: the owner's in `<state_dir>/chats`, each guest's in a folder of their own.

A guest is somebody with whom the owner shared a session (`curc_llm.session.shares`). A guest by user name
finds their chats again in every session that is shared with them. One by a link is nobody known: the next
link is the next guest, with nothing of the last one's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import string
from dataclasses import dataclass
from pathlib import Path

from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.purge import GIB, Limits, keep_house
from curc_llm.chats.store import FOLDER, ChatStore
from curc_llm.session.keys import OWNER

SHARED = "shared"
UPLOADS = "uploads"
# A guest can't tidy up in the owner's account, so what nobody goes on with doesn't stay. What is deleted goes
# within a week: the page can bring it back, nobody else would.
GUEST_LIMITS = Limits(keep_days=30.0, max_gib=0.25, deleted_keep_days=7.0)
_MAX_NAME = 80
# All else is written as %hex, capitals too: two guests stay two where a file system ignores case.
_PLAIN = frozenset(string.ascii_lowercase + string.digits + "_-")


@dataclass(frozen=True)
class Room:
    """How much a person's chats and uploads take.

    Args:
        used_bytes: now.
        max_bytes: most; 0 for no limit.
    """

    used_bytes: int
    max_bytes: int

    @property
    def is_full(self) -> bool:
        """True when nothing more should be kept."""
        return bool(self.max_bytes) and self.used_bytes >= self.max_bytes


def render_folder_name(user: str) -> str:
    """A guest's folder: no name leads out of the folder of guests, and no two names share one.

    Raises:
        ChatFileError: the name is empty or too long.

    Example:
        >>> render_folder_name("ana"), render_folder_name("../Ana@x.edu")
        ('ana', '%2e%2e%2f%41na%40x%2eedu')
    """
    if not 0 < len(user) <= _MAX_NAME:
        raise ChatFileError(f"{user[:_MAX_NAME]!r} can't be a guest's name.", "Share the session anew.")
    data = user.encode("utf-8", "surrogatepass")
    name = "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02x}" for byte in data)
    if len(name) > 255:  # NAME_MAX of Linux' file systems
        raise ChatFileError(f"{user!r} is too long for a guest's name.", "Share it by a shorter name.")
    return name


def find_home(state_dir: Path, user: str) -> Path:
    """The folder that holds all of a person's: for the owner the state folder itself.

    Args:
        state_dir: the owner's state folder.
        user: as the gateway says in `X-Curc-Llm-User`: `owner`, or a share's name.

    Raises:
        ChatFileError: no person can be called so.
    """
    return state_dir if user == OWNER else state_dir / SHARED / render_folder_name(user)


def open_store(state_dir: Path, user: str) -> ChatStore:
    """A person's chats.

    Raises:
        ChatFileError: no person can be called so, or their folder can't be made.
    """
    return ChatStore(make_home(state_dir, user) / FOLDER)


def find_uploads(state_dir: Path, user: str) -> Path:
    """The folder for a person's uploads, mode 0700.

    Raises:
        ChatFileError: no person can be called so, or their folder can't be made.
    """
    return make_home(state_dir, user) / UPLOADS


def make_home(state_dir: Path, user: str) -> Path:
    """`find_home`; a guest's is made, and is the owner's alone (0700).

    Raises:
        ChatFileError: no person can be called so, or the folder can't be made or is a link.
    """
    home = find_home(state_dir, user)
    if user == OWNER:
        return home
    try:
        for folder in (state_dir, home.parent, home):
            folder.mkdir(mode=0o700, exist_ok=True, parents=folder == state_dir)
        if home.is_symlink() or home.parent.is_symlink():
            raise ChatFileError(f"{home} is a link.", "Remove it: guests' chats lie in real folders.")
    except OSError as error:
        raise ChatFileError(f"{home} can't be made: {error.strerror}.", "Make room there.") from error
    return home


def measure_room(state_dir: Path, user: str, max_gib: float) -> Room:
    """How much a person has, and may have.

    Args:
        state_dir: the owner's state folder.
        user: whose.
        max_gib: the owner's own limit, in GiB; a guest's is `GUEST_LIMITS`, or that if it is less.

    Raises:
        ChatFileError: no person can be called so.
    """
    home, most_gib = find_home(state_dir, user), max_gib
    if user != OWNER:
        most_gib = min(max_gib or GUEST_LIMITS.max_gib, GUEST_LIMITS.max_gib)
    used_bytes = sum(_measure(home / name) for name in (FOLDER, UPLOADS))
    return Room(used_bytes, int(most_gib * GIB))


def _measure(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(where, name).lstat().st_size
    return total


def tidy_guests(state_dir: Path, limits: Limits = GUEST_LIMITS) -> list[str]:
    """What a session's chat does when it starts: keeps each guest's chats to the limits.

    Returns:
        What was removed, a sentence for each guest.
    """
    said = []
    for home in _list_homes(state_dir):
        with contextlib.suppress(ChatFileError, OSError):
            if text := keep_house(ChatStore(home / FOLDER), limits):
                said.append(text)
            _remove_if_empty(home)
    return said


def remove_guest(state_dir: Path, user: str) -> bool:
    """Deletes all chats and uploads of a guest for good; False when there were none.

    Raises:
        ChatFileError: it is the owner, no guest can be called so, or the folder can't be removed.
    """
    if user == OWNER:
        raise ChatFileError("The owner's chats are no guest's.", "See: curc-llm chats rm")
    home = find_home(state_dir, user)
    if not home.exists() or home.is_symlink():
        return False
    try:
        shutil.rmtree(home)
    except OSError as error:
        raise ChatFileError(f"{home} can't be removed: {error.strerror}.", "Remove it by hand.") from error
    return True


def _list_homes(state_dir: Path) -> list[Path]:
    try:
        found = os.scandir(state_dir / SHARED)
    except OSError:
        return []
    return sorted(Path(one.path) for one in found if one.is_dir(follow_symlinks=False))


def _remove_if_empty(home: Path) -> None:
    """Removes the folder of a guest of whom nothing is left; `rmdir` refuses one that isn't empty."""
    if not any((home / FOLDER).glob("*.jsonl")):
        (home / FOLDER / ".index.json").unlink(missing_ok=True)
    for folder in (home / FOLDER, home / UPLOADS, home):
        with contextlib.suppress(OSError):
            folder.rmdir()
