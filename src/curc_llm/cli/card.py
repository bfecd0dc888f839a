"""What a person needs to use a session: links, endpoint, key file."""

from __future__ import annotations

import time
from typing import Any

from curc_llm.cli.output import render_pairs
from curc_llm.client.source import root_url
from curc_llm.errors import SessionNotReadyError
from curc_llm.session.login import make_login_token
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord


def base_url_of(record: SessionRecord) -> str:
    """The session's endpoint.

    Raises:
        SessionNotReadyError: it has no port yet.
    """
    if record.base_url is None:
        raise SessionNotReadyError(f"Session {record.session_id} has no port yet.", "Try again in a second.")
    return record.base_url


def make_login_url(paths: SessionPaths, record: SessionRecord) -> str:
    """A link that opens the chat once, within ten minutes. No log sees the fragment that holds the token."""
    return f"{root_url(base_url_of(record))}/login#token={make_login_token(paths.login_secret, time.time())}"


def model_of(record: SessionRecord) -> str:
    """The served name of the first model that writes text, else of the first."""
    writers = [e for e in record.models if e.runner == "generate"] or list(record.models)
    return writers[0].served_model_name if writers else ""


def make_card(paths: SessionPaths, record: SessionRecord, login_url: str | None = None) -> dict[str, Any]:
    """The fixed fields that scripts get from `demo --detach --json` and `endpoint --json`."""
    return {
        "session_id": record.session_id,
        "chat_url": record.chat_url or root_url(base_url_of(record)) + "/chat/",
        "login_url": login_url or make_login_url(paths, record),
        "base_url": base_url_of(record),
        "model": model_of(record),
        "key_file": str(paths.api_key),
        "record_file": str(paths.record),
        "pid": record.pid,
    }


def render_card(card: dict[str, Any], stop: str) -> str:
    """The card for people."""
    notebook = f'import curc_llm; session = curc_llm.connect("{card["session_id"]}"); session'
    lab = (
        [("JupyterLab", card["lab_url"]), ("", f"(with the notebooks in {card['notebooks']})")]
        if "lab_url" in card
        else []
    )
    pairs = [
        ("Chat", f"{card['login_url']}"),
        ("", "(opens once, within 10 minutes; a new link: curc-llm endpoint --login-link)"),
        ("Endpoint", card["base_url"]),
        ("Model", card["model"]),
        ("Key", f"{card['key_file']}  (only you can read it)"),
        *lab,
        ("Notebook", notebook),
        ("Terminal", "curc-llm chat"),
        ("Stop", stop),
    ]
    return render_pairs(pairs)
