"""The person's Hugging Face token: one private file, where every tool of Hugging Face looks for it.

The token is read here and nowhere put into an argument, an address, a log or an error.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from curc_llm.errors import TokenError
from curc_llm.session.files import write_private

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
# Tokens of people are `hf_` and 34 letters and digits; those of sign-ins (`hf_oauth_…`) are longer and have
# more kinds of characters (huggingface.co/docs/hub/security-tokens).
FORM = re.compile(r"hf_[A-Za-z0-9_.-]{8,4000}")
# What bracketed paste puts around the text where a program doesn't expect it (xterm's control sequences).
_PASTE = re.compile(r"\x1b\[20[01]~")
OTHERS = 0o077
OTHERS_WRITE = 0o022


def token_path(environ: Mapping[str, str]) -> Path:
    """Where the token is kept, whether there is one or not: as huggingface_hub's constants.py finds it.

    Example:
        >>> token_path({"HOME": "/h"})
        PosixPath('/h/.cache/huggingface/token')
    """
    cache = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".cache")
    home = environ.get("HF_HOME") or str(Path(cache) / "huggingface")
    path = environ.get("HF_TOKEN_PATH") or str(Path(home) / "token")
    return Path(os.path.expandvars(path)).expanduser()


def check_form(text: str) -> str:
    """The token out of what a person pasted.

    Raises:
        TokenError: it can't be one; the text says why and shows nothing of it.

    Example:
        >>> check_form(' "hf_abcdefgh1234"\\n')
        'hf_abcdefgh1234'
    """  # noqa: D301
    token = _PASTE.sub("", text).strip().removeprefix("HF_TOKEN=").strip().strip("'\"")
    if FORM.fullmatch(token):
        return token
    remedy = f"Copy the whole token from {TOKENS_PAGE}; it is shown only once, when it is made."
    if not token:
        raise TokenError("No token was given.", remedy)
    if token.startswith("api_org_"):
        raise TokenError(
            "This is an organisation's token, which the hub no longer lets people sign in with.", remedy
        )
    fault = "doesn't begin with hf_" if not token.startswith("hf_") else "isn't one word of the right length"
    raise TokenError(
        f"What was given isn't a Hugging Face token: it {fault} ({len(token)} characters).", remedy
    )


def read_token(path: Path) -> str | None:
    """The token in the file; None without one.

    Raises:
        TokenError: there is a file that can't be read, or that holds no token.
    """
    try:
        return check_form(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise TokenError(f"{path} holds no token.", "Write a new one: curc-llm token") from None
    except TokenError as error:
        raise TokenError(f"{path}: {error.message}", "Write a new one: curc-llm token") from None
    except OSError as error:
        raise TokenError(f"{path} can't be read: {error.strerror}.", "Is it yours?") from error


def write_token(path: Path, token: str) -> None:
    """Stores a token so that only its owner can read it: file 0600, folder 0700 when it has to be made.

    Raises:
        TokenError: it can't be written; the old one is left as it was.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _drop_bits(path.parent, OTHERS_WRITE)  # who may write the folder could put another file there
        write_private(path, token)
    except OSError as error:
        raise _cannot_write(path, error) from error


def remove_token(path: Path) -> bool:
    """Removes the file; False when there was none.

    Raises:
        TokenError: it can't be removed.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise TokenError(f"{path} can't be removed: {error.strerror}.", "Is it yours?") from error
    return True


def mend_mode(path: Path) -> int | None:
    """Makes a token's file private when others can read it; the mode it had then, else None.

    Raises:
        TokenError: it is open to others and can't be mended.
    """
    try:
        return _drop_bits(path, OTHERS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TokenError(
            f"Others can read {path}, and its mode can't be changed: {error.strerror}.",
            f"Revoke that token at {TOKENS_PAGE} and store another one in a folder of your own.",
        ) from error


def stored_tokens_path(path: Path) -> Path:
    """The list in which `hf auth login` keeps every token that it was ever given, beside the token."""
    return path.with_name("stored_tokens")


def _drop_bits(path: Path, bits: int) -> int | None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & bits:
        return None
    path.chmod(mode & ~bits)
    return mode


def _cannot_write(path: Path, error: OSError) -> TokenError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return TokenError(
            f"The token can't be written to {path}: no room is left (disk full, or your quota is used up).",
            "Free a little room there, or set HF_TOKEN_PATH to a file elsewhere that only you can read.",
        )
    return TokenError(
        f"The token can't be written to {path}: {os.strerror(error.errno or errno.EIO)}.",
        "Set HF_TOKEN_PATH to a file that you can write, in your shell's start-up file.",
    )
