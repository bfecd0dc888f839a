"""The key of a tunnel's session, for whoever connects on this computer."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from curc_llm.cli.output import Output
from curc_llm.client.tunnel import TunnelEnd
from curc_llm.client.tunnel_note import find_kept_key, keep_key
from curc_llm.errors import KeyFileError
from curc_llm.session.keys import read_secret_file

# What may stand in a header; a prompt's control characters or a pasted sentence may not.
KEY = re.compile(r"[!-~]{8,512}")
QUESTION = "Session's key (Copy key on its card; Enter: leave it out)"


def find_key(given: Path | None, end: TunnelEnd, state_dir: Path, output: Output) -> Path | None:
    """The file with the session's key: the one that was named, one of before, or what is pasted now.

    Args:
        given: what the command line names.
        end: the session's gateway, by which its key is remembered.
        state_dir: where a pasted key is kept, in a file that only its owner can read.
        output: who answers scripts isn't asked.

    Returns:
        The file; None when nobody gave a key.

    Raises:
        KeyFileError: the file can't be read, others can read it, or what was pasted is no key.
    """
    if given is not None:
        read_secret_file(given)
        return given.absolute()
    known = find_kept_key(state_dir, end)
    if known is not None or output.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return known
    output.say("With the session's key, curc_llm.connect() here needs nothing else.")
    key = click.prompt(QUESTION, default="", hide_input=True, show_default=False, err=True).strip()
    return _keep(key, end, state_dir) if key else None


def _keep(key: str, end: TunnelEnd, state_dir: Path) -> Path:
    if not KEY.fullmatch(key):
        raise KeyFileError("What was pasted is not a key.", "Copy it once more, with the card's button.")
    try:
        return keep_key(state_dir, end, key)
    except OSError as error:
        raise KeyFileError(
            f"The key can't be kept in {state_dir}: {error.strerror}.", "Name a file of yours: --api-key-file"
        ) from None
