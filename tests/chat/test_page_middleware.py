"""Two people can't take each other's pages, whatever number their browsers make up."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from curc_llm.chat.page_middleware import MOST_BODY, PageMiddleware

JOIN = "/chat/gradio_api/queue/join"
LISTEN = "/chat/gradio_api/queue/data"


class Site:
    """The middleware before an app that notes what reaches it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.middleware = PageMiddleware(self._answer)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append((await receive()).get("body", b"") if scope["method"] == "POST" else b"")
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(self, user: str, path: str, query: str = "", body: bytes = b"") -> int:
        sent: list[MutableMapping[str, Any]] = []
        pieces = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return pieces.pop(0) if pieces else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST" if path == JOIN else "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"x-curc-llm-user", user.encode())],
        }
        await self.middleware(scope, receive, send)
        return int(sent[0]["status"])


@pytest.fixture
def site() -> Site:
    return Site()


async def test_a_page_is_its_openers_alone(site: Site) -> None:
    body = json.dumps({"session_hash": "page1", "data": ["x"]}).encode()
    assert await site.ask("ada", JOIN, body=body) == 200
    assert site.bodies == [body]
    assert await site.ask("guest", JOIN, body=body) == 403
    assert await site.ask("guest", LISTEN, "session_hash=page1") == 403
    assert await site.ask("ada", LISTEN, "session_hash=page1") == 200
    assert len(site.bodies) == 2


async def test_another_persons_page_is_open_to_them(site: Site) -> None:
    assert await site.ask("ada", LISTEN, "session_hash=page1") == 200
    assert await site.ask("guest", LISTEN, "session_hash=page2") == 200


async def test_a_body_without_end_is_refused(site: Site) -> None:
    assert await site.ask("ada", JOIN, body=b"x" * (MOST_BODY + 1)) == 413
    assert site.bodies == []
