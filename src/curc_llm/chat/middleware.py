"""What stands before Gradio: the public prefix, the list of routes that are open, and security headers."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from curc_llm.chat.content_policy import add_head, add_nonce, drop_manifest, make_policy, make_root_relative

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOUNT = "/chat"
PREFIX_HEADER = b"x-curc-llm-prefix"
# What the page uses of Gradio. Uploads, file serving, the proxy and the API pages stay shut until something
# needs them.
OPEN_PATHS = (
    "/",
    "/config",
    "/theme.css",
    "/gradio_api/startup-events",
    "/gradio_api/queue/join",
    "/gradio_api/queue/data",
    "/gradio_api/run/predict",
    "/gradio_api/cancel",
    "/gradio_api/reset",
    "/gradio_api/app_id",
    "/gradio_api/upload",
)
OPEN_FOLDERS = ("/assets/", "/static/", "/gradio_api/heartbeat/")
FIXED_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
]


class PrefixMiddleware:
    """Tells the app below which prefix the public path has, request by request.

    The gateway takes `/node/HOST/PORT` off the path and says so in a header; Gradio finds it again in
    `root_path`. The same process so serves both addresses at once.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, as ASGI has it."""
        if scope["type"] == "http":
            prefix = _find_header(scope, PREFIX_HEADER).rstrip("/")
            if prefix.startswith("/"):
                raw_path = prefix.encode("latin-1") + (scope.get("raw_path") or scope["path"].encode())
                scope = {**scope, "root_path": prefix, "path": prefix + scope["path"], "raw_path": raw_path}
        await self._app(scope, receive, send)


class RouteMiddleware:
    """Answers 404 for every route of Gradio that the page doesn't use, and sends `/chat` to `/chat/`."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, as ASGI has it."""
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        # Relative, so that it is right below every prefix.
        to_page = [(b"location", MOUNT[1:].encode() + b"/")]
        status, headers = (307, to_page) if scope["path"] == MOUNT else (404, [])
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"content-length", b"0")],
            }
        )
        await send({"type": "http.response.body", "body": b""})


def is_open(path: str) -> bool:
    """True for a path that the page may use.

    Example:
        >>> is_open("/chat/"), is_open("/chat/gradio_api/file=/etc/passwd")
        (True, False)
    """
    if not path.startswith(MOUNT + "/"):
        return False
    below = path.removeprefix(MOUNT)
    return below in OPEN_PATHS or below.startswith(OPEN_FOLDERS)


class ContentPolicyMiddleware:
    """Sets the security headers, and gives every script of the page this response's nonce.

    Args:
        script: a script of our own for the page.
    """

    def __init__(self, app: App, script: str = "") -> None:
        self._app = app
        self._script = script

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(
            scope, receive, _PageSender(send, str(scope.get("root_path", "")) + MOUNT, self._script)
        )


class _PageSender:
    """Passes a response on; an HTML page is held back until it is whole, and then rewritten."""

    def __init__(self, send: Send, root: str, script: str) -> None:
        self._send = send
        self._root = root
        self._script = script
        self._nonce = secrets.token_urlsafe(18)
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        """Takes one message of the response, as ASGI's `send`."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._start is None or message["type"] != "http.response.body":
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish()

    async def _begin(self, message: Message) -> None:
        headers = list(message.get("headers", []))
        content_type = next((v for n, v in headers if n.lower() == b"content-type"), b"")
        policy = make_policy(self._nonce).encode()
        message["headers"] = [*headers, *FIXED_HEADERS, (b"content-security-policy", policy)]
        if content_type.startswith(b"text/html"):
            message["headers"].append((b"cache-control", b"no-store"))
            self._start = message
        else:
            await self._send(message)

    async def _finish(self) -> None:
        assert self._start is not None  # noqa: S101 - only after _begin held a page back
        page = make_root_relative(drop_manifest(bytes(self._body)), self._root)
        body = add_nonce(add_head(page, self._script), self._nonce)
        headers = [(n, v) for n, v in self._start["headers"] if n.lower() != b"content-length"]
        self._start["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


def _find_header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
