"""The way from a session's page to that of the session which has taken over, for its owner."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

from curc_llm.errors import KeyFileError
from curc_llm.gateway.audit import Audit
from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.pages import SECURITY_HEADERS
from curc_llm.gateway.request import Request
from curc_llm.session.keys import OWNER
from curc_llm.session.login import make_login_token
from curc_llm.session.paths import SessionPaths
from curc_llm.session.store import read_record
from curc_llm.session.succession import find_heir


class Moving:
    """Answers `POST /successor`, which only the session's own page can ask: a login link to the other page.

    Args:
        root: the session's folder.
        audit: where it is written down that a link was made.
    """

    def __init__(self, root: Path, audit: Audit) -> None:
        self._root = root
        self._audit = audit

    async def answer(self, request: Request, visitor: Caller) -> None:
        """Sends the successor's name and a link that opens its page once.

        Raises:
            RequestError: somebody else than the owner asks (403), or there is no page to go to (409).
        """
        if visitor.share is not None or visitor.name != OWNER:
            message = "Only the session's owner may go to the next one; ask them for a link to it."
            raise RequestError(403, "permission_denied", message)
        # At the portal all are below one host, as /node/HOST/PORT; else each has an address of its own.
        prefix = request.prefix if request.header(b"x-forwarded-host") else ""
        name, link = await asyncio.to_thread(self._make_link, prefix)
        self._audit.record("moved", peer=request.peer, name=visitor.name, of_session=name)
        await request.answer_json(200, {"session_id": name, "link": link}, SECURITY_HEADERS)

    def _make_link(self, prefix: str) -> tuple[str, str]:
        heir = find_heir(self._root)
        record = read_record(heir.record) if heir.root != self._root else None
        if record is None:
            raise RequestError(409, "not_handed_over", "No other session has taken over from this one.")
        if record.base_url is None or record.status.is_over:
            message = f"Session {record.session_id} has no page at the moment: it is {record.status.value}."
            raise RequestError(409, "successor_not_there", message)
        try:
            token = make_login_token(heir.login_secret, time.time())
        except KeyFileError as error:
            raise RequestError(503, "keys_unavailable", f"No link can be made: {error}") from error
        url = urlsplit(record.base_url)
        if prefix:
            own = read_record(SessionPaths(self._root).record)
            root = make_prefix(prefix, own.host if own is not None else "", record.host, url.port or 0)
        else:
            root = f"{url.scheme}://{url.netloc}"
        return record.session_id, f"{root}/login#token={token}"


def make_prefix(prefix: str, own_host: str, other_host: str, port: int) -> str:
    """Where the portal has another node's port.

    That node is called as this one is: the portal's proxy may want short names or full ones.

    Args:
        prefix: where this page is, `/node/HOST/PORT`.
        own_host: what this node calls itself.
        other_host: what the other one does.
        port: the other one's.

    Example:
        >>> make_prefix("/node/c1.int.example/8000", "c1", "c2", 8001)
        '/node/c2.int.example/8001'
    """
    portal, called, _ = prefix.rsplit("/", 2)
    node, dot, domain = called.partition(".")
    if node == own_host.partition(".")[0]:
        other_host = other_host.partition(".")[0] + dot + domain
    return f"{portal}/{other_host}/{port}"
