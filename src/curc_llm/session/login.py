"""One-use login tokens and the cookies they are traded for.

The card and the CLI mint a token from the session's 0600 login secret; the gateway checks it, remembers that
it was used, and answers with a cookie signed by the same secret. No token outlives ten minutes, and none is
stored anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

from curc_llm.session.files import write_private
from curc_llm.session.keys import read_secret_file

TOKEN_LIFE_S = 600
COOKIE_LIFE_S = 12 * 3600


def make_login_secret(path: Path) -> None:
    """Writes a new random login secret, mode 0600."""
    write_private(path, "s" + secrets.token_hex(32) + "\n")


def sign(secret: str, purpose: str, name: str, expires_at: int, nonce: str) -> str:
    """HMAC-SHA256 (RFC 2104) over all that a token claims, URL-safe base64 without padding."""
    text = f"{purpose}\n{name}\n{expires_at}\n{nonce}".encode()
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), text, hashlib.sha256)).decode().rstrip("=")


def make_token(secret: str, purpose: str, name: str, now: float, life_s: float) -> str:
    """A signed token `NAME~EXPIRY~NONCE~SIGNATURE` for one purpose, `login` or `cookie`.

    Example:
        >>> token = make_token("s", "login", "owner", now=0, life_s=600)
        >>> check_token("s", "login", token, now=1)[0]
        'owner'
    """
    expires_at, nonce = int(now + life_s), secrets.token_urlsafe(16)
    return f"{name}~{expires_at}~{nonce}~{sign(secret, purpose, name, expires_at, nonce)}"


def check_token(secret: str, purpose: str, token: str, now: float) -> tuple[str, str, int] | None:
    """(name, nonce, expiry) of a token that is genuine and not expired, else None."""
    parts = token.split("~")
    if len(parts) != 4 or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 12:
        return None
    name, expires_at, nonce, signature = parts[0], int(parts[1]), parts[2], parts[3]
    genuine = hmac.compare_digest(
        signature.encode("utf-8", "replace"), sign(secret, purpose, name, expires_at, nonce).encode()
    )
    return (name, nonce, expires_at) if genuine and now < expires_at else None


def make_login_token(login_secret_path: Path, now: float, name: str = "owner") -> str:
    """Mints a one-use login token that is good for ten minutes.

    Raises:
        KeyFileError: the login secret can't be read.
    """
    return make_token(read_secret_file(login_secret_path), "login", name, now, TOKEN_LIFE_S)
