"""A page belongs to who opened it: nobody else hears its events, or sends any to it.

Gradio tells pages apart by a number that the browser makes up, and asks no more than that.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs

from curc_llm.chat.middleware import App, Message, Receive, Scope, Send

USER_HEADER = b"x-curc-llm-user"
BODIES = ("/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/cancel", "/gradio_api/reset")
MOST_BODY = 8 * 2**20
MOST_PAGES = 5000


class PageMiddleware:
    """Answers 403 to a person who names a page that another one opened."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body: bytes | None = None
        if scope["method"] == "POST" and scope["path"].endswith(BODIES):
            body = await _read(receive)
            if body is None:
                await _refuse(send, 413)
                return
        user = next((v.decode("latin-1") for n, v in scope["headers"] if n == USER_HEADER), "")
        page = find_page(scope, body)
        if page and not self._is_own(page, user):
            await _refuse(send, 403)
            return
        await self._app(scope, receive if body is None else _replay(body, receive), send)

    def _is_own(self, page: str, user: str) -> bool:
        owner = self._owners.setdefault(page, user)
        self._owners.move_to_end(page)
        while len(self._owners) > MOST_PAGES:
            self._owners.popitem(last=False)
        return owner == user


def find_page(scope: Scope, body: bytes | None) -> str:
    """The page that a request names: in its body, its query or its path; empty when it names none."""
    if body is not None:
        try:
            found = json.loads(body or b"{}")
        except ValueError:
            return ""
        return str(found.get("session_hash") or "") if isinstance(found, dict) else ""
    named = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash")
    if named:
        return str(named[0])
    _, is_heartbeat, page = str(scope["path"]).partition("/gradio_api/heartbeat/")
    return page if is_heartbeat else ""


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(send: Send, status: int) -> None:
    headers: list[Any] = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
