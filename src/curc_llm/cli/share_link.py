"""What `curc-llm share` hands out: the link that lets a guest's browser in, and the key."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from curc_llm.cli.card import base_url_of
from curc_llm.client.source import root_url

if TYPE_CHECKING:
    from curc_llm.session.keys import ApiKey
    from curc_llm.session.record import SessionRecord
    from curc_llm.session.store import FoundSession


def make_links(record: SessionRecord, portals: Sequence[str], token: str) -> list[str]:
    """The addresses to send, the one to use first; the token stands in the fragment, which no server sees.

    A session in a Slurm job is reached through the portal, which keeps `/node/HOST/PORT` in front of the path
    (Open OnDemand's mod_ood_proxy); elsewhere directly.

    Args:
        record: the session.
        portals: addresses of the site's portals.
        token: the invitation.

    Raises:
        SessionNotReadyError: the session has no port yet.
    """
    base_url = base_url_of(record)
    fragment = f"#token={token}"  # of letters that a fragment may hold (RFC 3986): the page reads it as it is
    if record.slurm_job_id is None or not portals:
        return [f"{root_url(base_url)}/login{fragment}"]
    parts = urlsplit(base_url)
    path = f"/node/{parts.hostname}/{parts.port}/login"
    return [portal.rstrip("/") + path + fragment for portal in portals]


def make_share_value(
    found: FoundSession, entry: ApiKey, portals: Sequence[str], *, show_key: bool
) -> dict[str, Any]:
    """What `share --json` says.

    Args:
        found: the session.
        entry: the share.
        portals: addresses of the site's portals.
        show_key: also give the guest's key.

    Raises:
        CurcLlmError: the session has no port yet, or its login secret can't be read.
    """
    from curc_llm.session.keys import read_secret_file
    from curc_llm.session.shares import is_link, make_invitation, make_shared_key

    secret = read_secret_file(found.paths.login_secret)
    links = make_links(found.record, portals, make_invitation(secret, entry, time.time()))
    value: dict[str, Any] = {
        "session_id": found.session_id,
        "name": entry.name,
        "kind": "link" if is_link(entry.name) else "user",
        "link": links[0],
        "other_links": links[1:],
        "base_url": found.record.base_url,
        "expires_at": entry.expires_at,
        "models": list(entry.models),
        "requests_per_minute": entry.requests_per_minute,
    }
    return {**value, "key": make_shared_key(secret, entry.share_id)} if show_key else value
