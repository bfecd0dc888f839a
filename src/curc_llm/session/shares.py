"""Sharing a session: a named key that also lets one person's browser in, to a chat of their own.

A share is an entry of the key list with a `share_id`, so that one write revokes all of it: key, invitations
and cookies. It is bound to a user of the portal (`ana`), or to nobody (`link:lab:3f9a2c01`): then whoever
opens the link first is its guest. No Unix user name holds a colon, so the two can't be taken for each other.

Nothing of a share is stored but the digest of its key. Key, invitations and cookies come from the session's
login secret and the `share_id`, and are worth nothing once either is gone.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curc_llm.errors import KeyFileError
from curc_llm.session.keys import KEY_PREFIX, OWNER, ApiKey, append_key, read_keys, read_secret_file
from curc_llm.session.login import check_token, make_token

LINK = "link:"
# A link's guest can't log in anew, so a cookie and an invitation without an expiry last as long as the
# session: the secret that signed them is deleted at its end. No job lasts a year.
LONG_LIFE_S = 366 * 86400
SCOPES = ("chat",)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}")
_LINK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,31}")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_KEY_LETTERS = 43


@dataclass(frozen=True)
class Invitation:
    """What a genuine invitation claims.

    Args:
        key: the share's entry in the key list.
        nonce: tells this invitation from others.
        expires_at: Unix time in seconds.
    """

    key: ApiKey
    nonce: str
    expires_at: int


def is_link(name: str) -> bool:
    """True for the name of a share that is bound to no user."""
    return name.startswith(LINK)


def render_guest(name: str) -> str:
    """A share's name for people.

    Example:
        >>> render_guest("link:lab:3f9a2c01"), render_guest("ana")
        ('lab', 'ana')
    """
    return name.removeprefix(LINK).rpartition(":")[0] if is_link(name) else name


def check_user(user: str, owner: str) -> str:
    """The name, if it can be a user of the portal to share with.

    Args:
        user: as the portal and the cluster know them.
        owner: Unix user name of the session's owner.

    Raises:
        KeyFileError: no user is called so, or it is the owner.
    """
    if not _USER.fullmatch(user):
        raise KeyFileError(
            f"{user[:100]!r} can't be a user name.",
            "Give the name with which they log in: up to 63 of A-Z a-z 0-9 . _ @ -",
        )
    if user == owner:
        raise KeyFileError(f"{user!r} is you: the session is yours already.", "See: curc-llm endpoint")
    if user.lower() == OWNER:
        # In logs, headers and chats this word means the session's owner.
        raise KeyFileError(
            f"{user!r} can't be shared with by name: the word stands for you.",
            "Send a link instead: curc-llm share --link NAME",
        )
    return user


def make_link_name(label: str) -> str:
    """The name of a new share that is bound to no user; never the same twice.

    Args:
        label: what the owner calls it.

    Raises:
        KeyFileError: the label can't be one.
    """
    if not _LINK_NAME.fullmatch(label) or label.lower() == OWNER:
        raise KeyFileError(
            f"{label[:100]!r} can't be a link's name.",
            f"Use up to 32 of A-Z a-z 0-9 . _ @ - (and not {OWNER!r}).",
        )
    return f"{LINK}{label}:{secrets.token_hex(4)}"


def make_shared_key(login_secret: str, share_id: str) -> str:
    """The API key of a share, which is stored nowhere: HMAC-SHA256 in 43 letters and digits.

    Example:
        >>> len(make_shared_key("s", "01")), make_shared_key("s", "01") == make_shared_key("s", "02")
        (48, False)
    """
    number = int.from_bytes(hmac.digest(login_secret.encode(), f"key\n{share_id}".encode(), "sha256"))
    letters = []
    for _ in range(_KEY_LETTERS):  # 62^43 > 2^256: nothing of the digest is lost
        number, digit = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return KEY_PREFIX + "".join(letters)


def add_share(
    keys_path: Path,
    login_secret_path: Path,
    name: str,
    *,
    expires_at: float | None = None,
    models: tuple[str, ...] = (),
    requests_per_minute: int = 0,
    concurrency: int = 0,
    tokens_per_minute: int = 0,
) -> ApiKey:
    """Shares a session.

    Args:
        keys_path: the session's key list.
        login_secret_path: the session's login secret.
        name: checked by `check_user`, or made by `make_link_name`.
        expires_at: Unix time in seconds; None for the session's end.
        models: served model names that the guest may use; empty for all.
        requests_per_minute: of key and chat together; 0 for no limit.
        concurrency: requests at once, of both; 0 for no limit.
        tokens_per_minute: of prompts and answers, of both; 0 for no limit.

    Raises:
        KeyFileError: there is such a share or key, or the session's files can't be read or written.
    """
    share_id = secrets.token_hex(16)
    append_key(
        keys_path,
        name,
        make_shared_key(read_secret_file(login_secret_path), share_id),
        scopes=SCOPES,
        expires_at=expires_at,
        models=models,
        requests_per_minute=requests_per_minute,
        concurrency=concurrency,
        tokens_per_minute=tokens_per_minute,
        share_id=share_id,
    )
    share = read_keys(keys_path).named(name)
    assert share is not None  # noqa: S101 - it was just written
    return share


def find_shares(keys: Sequence[ApiKey], label: str) -> list[ApiKey]:
    """The shares that aren't revoked and are called so, by their whole name or by the label of a link."""
    shares = [key for key in keys if key.share_id and key.revoked_at is None]
    whole = [key for key in shares if key.name == label]
    return whole or [key for key in shares if is_link(key.name) and render_guest(key.name) == label]


def make_invitation(login_secret: str, key: ApiKey, now: float) -> str:
    """A token that lets the share's guest in, to be sent to them in a link's fragment."""
    life_s = LONG_LIFE_S if key.expires_at is None else key.expires_at - now
    return make_token(login_secret, f"invite:{key.share_id}", key.name, now, life_s)


def read_invitation(login_secret: str, key: ApiKey | None, token: str, now: float) -> Invitation | None:
    """What an invitation says, None unless it is genuine and its share still valid.

    Args:
        login_secret: the session's.
        key: the share of the name that the token claims.
        token: what was handed in.
        now: Unix time in seconds.
    """
    if key is None or not key.share_id or not key.is_valid(now):
        return None
    found = check_token(login_secret, f"invite:{key.share_id}", token, now)
    return Invitation(key, found[1], found[2]) if found is not None and found[0] == key.name else None


def name_cookie_purpose(key: ApiKey, portal_user: str | None) -> str:
    """What a guest's cookie is signed for: this one share, and the portal user who took it.

    A cookie that was taken through the portal is worth nothing in another portal user's browser, nor on a
    direct connection; one that was taken directly, nothing at the portal.
    """
    return f"cookie:{key.share_id}:{portal_user or ''}"
