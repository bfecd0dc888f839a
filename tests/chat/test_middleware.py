from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest

from curc_llm.chat.middleware import (
    ContentPolicyMiddleware,
    PrefixMiddleware,
    Receive,
    RouteMiddleware,
    Send,
    is_open,
)

PAGE = b'<html><head><script>1</script><link rel="manifest" href="/manifest.json" /></head></html>'


async def ask(app: Any, path: str, prefix: str = "") -> list[MutableMapping[str, Any]]:
    """One request; gives what the app sends."""
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    headers = [(b"x-curc-llm-prefix", prefix.encode())]
    await app({"type": "http", "path": path, "raw_path": path.encode(), "headers": headers}, receive, send)
    return sent


class Recorder:
    """An app that notes what it is asked and answers with a page in two pieces."""

    def __init__(self, content_type: bytes = b"text/html; charset=utf-8") -> None:
        self.scope: MutableMapping[str, Any] = {}
        self.content_type = content_type

    async def __call__(self, scope: MutableMapping[str, Any], _: Receive, send: Send) -> None:
        self.scope = scope
        headers = [(b"content-type", self.content_type), (b"content-length", str(len(PAGE)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE[:9], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[9:]})


def headers_of(sent: list[MutableMapping[str, Any]]) -> dict[bytes, bytes]:
    return dict(sent[0]["headers"])


@pytest.mark.parametrize("prefix", ["/node/h/1", "/node/h/1/"])
async def test_the_prefix_reaches_gradio_as_root_path(prefix: str) -> None:
    app = Recorder()
    await ask(PrefixMiddleware(app), "/chat/", prefix)
    assert app.scope["root_path"] == "/node/h/1"
    assert app.scope["path"] == "/node/h/1/chat/"
    assert app.scope["raw_path"] == b"/node/h/1/chat/"


@pytest.mark.parametrize("prefix", ["", "node", "http://evil"])
async def test_without_a_prefix_nothing_changes(prefix: str) -> None:
    app = Recorder()
    await ask(PrefixMiddleware(app), "/chat/", prefix)
    assert app.scope["path"] == "/chat/"
    assert "root_path" not in app.scope


@pytest.mark.parametrize(
    "path", ["/chat/", "/chat/assets/a.js", "/chat/gradio_api/queue/join", "/chat/gradio_api/upload"]
)
def test_what_the_page_uses_is_open(path: str) -> None:
    assert is_open(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/chatter/",
        "/chat/gradio_api/uploads",
        "/chat/gradio_api/upload_progress",
        "/chat/gradio_api/file=/etc/passwd",
        "/chat/gradio_api/proxy=http://x",
        "/chat/gradio_api/info",
        "/chat/monitoring",
        "/chat/docs",
    ],
)
async def test_what_it_doesnt_use_is_not_found(path: str) -> None:
    app = Recorder()
    sent = await ask(RouteMiddleware(app), path)
    assert sent[0]["status"] == 404
    assert not app.scope


async def test_the_page_without_its_slash_is_sent_to_it_relative_to_any_prefix() -> None:
    sent = await ask(RouteMiddleware(Recorder()), "/chat")
    assert sent[0]["status"] == 307
    assert headers_of(sent)[b"location"] == b"chat/"


async def test_every_script_of_a_page_gets_a_fresh_nonce_and_nothing_else_may_run() -> None:
    app = ContentPolicyMiddleware(Recorder(), script="own()")
    first, second = await ask(app, "/chat/"), await ask(app, "/chat/")
    policy = headers_of(first)[b"content-security-policy"].decode()
    nonce = policy.split("'nonce-")[1].split("'")[0]
    body = first[1]["body"]
    assert body.count(b"<script") == body.count(f'<script nonce="{nonce}">'.encode()) == 2
    assert b"own()" in body
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'self'" in policy
    assert nonce not in headers_of(second)[b"content-security-policy"].decode()
    assert headers_of(first)[b"content-length"] == str(len(body)).encode()
    assert headers_of(first)[b"cache-control"] == b"no-store"


async def test_the_page_asks_nothing_of_the_origins_root() -> None:
    body = (await ask(ContentPolicyMiddleware(Recorder()), "/chat/"))[1]["body"]
    assert b"manifest" not in body
    assert b'<link rel="icon" href="data:' in body


async def test_other_answers_pass_piece_by_piece_with_the_headers() -> None:
    sent = await ask(ContentPolicyMiddleware(Recorder(b"text/event-stream")), "/chat/gradio_api/queue/data")
    assert len(sent) == 3
    assert sent[1]["body"] + sent[2]["body"] == PAGE
    assert headers_of(sent)[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("middleware", [PrefixMiddleware, RouteMiddleware, ContentPolicyMiddleware])
async def test_what_isnt_http_passes(middleware: Any) -> None:
    seen: list[str] = []

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await middleware(app)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
