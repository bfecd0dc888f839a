"""API keys: made, listed, revoked in a 0600 file that the gateway follows without a restart.

Only digests are kept. A key has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess.
This module imports nothing heavy, for the gateway reads it on its way to its first answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curc_llm.errors import KeyFileError
from curc_llm.session.files import write_json, write_private

OWNER = "owner"
SCOPES = ("chat", "batch", "manage")
KEY_PREFIX = "curc-"  # a letter first: YAML and shells then never take a key for a number


@dataclass(frozen=True)
class ApiKey:
    """One key as the gateway knows it.

    Args:
        name: who it is for; shown in logs.
        digest: SHA-256 of the key, hexadecimal.
        scopes: what it may do, of `chat`, `batch`, `manage`.
        created_at: Unix time in seconds.
        expires_at: Unix time after which it is refused; None for never.
        models: served model names it may use; empty for all.
        requests_per_minute: 0 for no limit.
        revoked_at: Unix time of its revocation, None while valid.
        concurrency: requests that may run or wait at once; 0 for no limit.
        tokens_per_minute: of prompts and answers together; 0 for no limit.
        priority: `interactive` or `batch`; empty: batch for a key that may do nothing but batch work.
        share_id: random text that tells one share from the next of the same name; empty for a plain key.
            What a guest's browser holds is signed with it (see `shares`).
    """

    name: str
    digest: str
    scopes: tuple[str, ...] = ("chat",)
    created_at: float = 0.0
    expires_at: float | None = None
    models: tuple[str, ...] = ()
    requests_per_minute: int = 0
    revoked_at: float | None = None
    share_id: str = ""
    concurrency: int = 0
    tokens_per_minute: int = 0
    priority: str = ""

    def is_valid(self, now: float) -> bool:
        """True when the key is neither revoked nor expired at Unix time `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class KeyList:
    """All keys of a session."""

    keys: tuple[ApiKey, ...] = field(default=())

    def find(self, secret: str) -> ApiKey | None:
        """The entry for a presented key, whether still valid or not; compares all in constant time."""
        digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def named(self, name: str) -> ApiKey | None:
        """The newest entry of that name that isn't revoked."""
        return next((k for k in reversed(self.keys) if k.name == name and k.revoked_at is None), None)


def make_key() -> str:
    """A new random key, for example `curc-` and 43 letters and digits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return KEY_PREFIX + "".join(secrets.choice(alphabet) for _ in range(43))


def read_keys(path: Path) -> KeyList:
    """Reads the key file.

    Raises:
        KeyFileError: it is missing, broken, or other users can read it.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyFileError(f"{path} can be read by other users.", f"Run: chmod 600 {path}")
        entries = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return KeyList(tuple(_parse_key(entry) for entry in entries))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeyFileError(
            f"The key file {path} can't be read: {error}.", "Was the session started here?"
        ) from error


def _parse_key(entry: dict[str, Any]) -> ApiKey:
    # A newer command line may write more than this gateway knows: that must not lock everybody out.
    known = {name: value for name, value in entry.items() if name in ApiKey.__dataclass_fields__}
    return ApiKey(**{**known, "scopes": tuple(entry["scopes"]), "models": tuple(entry["models"])})


def write_keys(path: Path, keys: KeyList) -> None:
    """Replaces the key file at once, mode 0600."""
    write_json(path, {"keys": [asdict(key) for key in keys.keys]})


def make_owner_key(keys_path: Path, api_key_path: Path) -> None:
    """Makes the owner's key: its digest into the key list, itself alone into a 0600 file."""
    secret = make_key()
    write_private(api_key_path, secret + "\n")
    write_keys(keys_path, KeyList())
    _append(keys_path, OWNER, secret, scopes=SCOPES)


def add_key(
    path: Path,
    name: str,
    *,
    scopes: tuple[str, ...] = ("chat",),
    expires_at: float | None = None,
    models: tuple[str, ...] = (),
    requests_per_minute: int = 0,
    concurrency: int = 0,
    tokens_per_minute: int = 0,
    priority: str = "",
) -> str:
    """Adds a named key and returns it; this is the only time it can be seen.

    Raises:
        KeyFileError: the name is taken or empty, or a scope doesn't exist.
    """
    if not name[:1].isalnum() or not all(c.isalnum() or c in "._@-" for c in name) or len(name) > 64:
        remedy = "Use up to 64 letters, digits and . _ @ - and begin with a letter or digit."
        raise KeyFileError(f"{name!r} can't be a key's name.", remedy)
    if name == OWNER:
        raise KeyFileError(f"{OWNER!r} is the name of your own key.", "Choose another name.")
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise KeyFileError(f"{unknown[0]!r} is not a scope.", f"Use one or more of: {', '.join(SCOPES)}.")
    secret = make_key()
    append_key(
        path,
        name,
        secret,
        scopes=scopes,
        expires_at=expires_at,
        models=models,
        requests_per_minute=requests_per_minute,
        concurrency=concurrency,
        tokens_per_minute=tokens_per_minute,
        priority=priority,
    )
    return secret


def append_key(path: Path, name: str, secret: str, **fields: Any) -> None:
    """Adds a key whose name and limits were checked.

    Raises:
        KeyFileError: the name is taken, or the file can't be written.
    """
    path = path.resolve()  # after a hand-over it is the successor's list (see `succession`)
    with lock_keys(path):
        if read_keys(path).named(name):
            raise KeyFileError(
                f"A key named {name!r} exists.", f"Revoke it first (curc-llm keys revoke {name})."
            )
        _append(path, name, secret, **fields)


@contextlib.contextmanager
def lock_keys(path: Path) -> Iterator[None]:
    """Lets one process at a time change the list; the lock is the kernel's, so it can't be left behind."""
    import fcntl  # Windows has none, and a laptop there only reads keys

    try:
        with path.with_name(f".{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        remedy = "Free some space there, then try again."
        raise KeyFileError(f"{path.parent} can't be written: {error.strerror}.", remedy) from error


def _append(path: Path, name: str, secret: str, **fields: Any) -> None:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = ApiKey(name=name, digest=digest, created_at=time.time(), **fields)
    write_keys(path, KeyList((*read_keys(path).keys, key)))


def revoke_key(path: Path, name: str) -> None:
    """Revokes the key of that name; the gateway refuses it from its next request on.

    Raises:
        KeyFileError: there is no such key, or it is the owner's.
    """
    path = path.resolve()
    with lock_keys(path):
        _revoke(path, name)


def _revoke(path: Path, name: str) -> None:
    keys = read_keys(path)
    key = keys.named(name)
    if key is None:
        names = (
            ", ".join(sorted({k.name for k in keys.keys if k.revoked_at is None and k.name != OWNER}))
            or "none"
        )
        raise KeyFileError(f"There is no key named {name!r}.", f"Keys that can be revoked: {names}.")
    if name == OWNER:
        raise KeyFileError("The owner's key can't be revoked.", "Stop the session instead: curc-llm stop")
    revoked = ApiKey(**{**asdict(key), "revoked_at": time.time()})
    write_keys(path, KeyList(tuple(revoked if k is key else k for k in keys.keys)))


def read_secret_file(path: Path) -> str:
    """Reads a file that holds one secret, refusing one that other users can read.

    Raises:
        KeyFileError: it is missing, unreadable, or its mode lets others read it.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyFileError(f"{path} can be read by other users.", f"Run: chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise KeyFileError(
            f"{path} can't be read: {error.strerror}.", "Is this your session, and does it run?"
        ) from error
