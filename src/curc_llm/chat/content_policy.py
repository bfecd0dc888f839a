"""The Content-Security-Policy: model output that got past every filter still can't run script or fetch."""

from __future__ import annotations

import re

# Gradio's page asks the origin's root for a manifest; on a portal that is somebody else's address.
_MANIFEST = re.compile(rb'<link rel="manifest"[^>]*>')
# Without an icon of its own, the page asks the origin's root for one.
ICON = (
    b'<link rel="icon" href="data:image/svg+xml,'
    b"%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath fill='%230369a1' "
    b"d='M6 4h20a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H14l-7 6v-6H6a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z'/%3E"
    b"%3Cpath stroke='%23fff' stroke-width='2.4' stroke-linecap='round' d='M9 11h14M9 17h9'/%3E%3C/svg%3E\">"
)
_SCRIPT = re.compile(rb"<script(?=[\s>])")


def make_policy(nonce: str) -> str:
    """Writes the policy.

    Scripts run only with this response's nonce, or when such a script loads them (`strict-dynamic`): not
    even a file of the same origin will do, which on a portal holds other people's apps. Gradio needs inline
    style and `base-uri`.

    Args:
        nonce: fresh for every response.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'nonce-{nonce}' 'strict-dynamic'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "media-src 'self' blob:",
            "worker-src 'none'",
            "frame-src 'none'",
            "object-src 'none'",
            "form-action 'none'",
            "base-uri 'self'",
            "frame-ancestors 'self'",
        ]
    )


def add_nonce(page: bytes, nonce: str) -> bytes:
    """Gives every script tag of a page the nonce. The page is Gradio's own; no model output is in it.

    Example:
        >>> add_nonce(b"<script>a</script>", "n")
        b'<script nonce="n">a</script>'
    """
    return _SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', page)


def add_head(page: bytes, script: str) -> bytes:
    """Puts our icon and our script at the head's end, where the script runs before Gradio's modules."""
    return page.replace(b"</head>", ICON + b"<script>" + script.encode() + b"</script></head>", 1)


def drop_manifest(page: bytes) -> bytes:
    """Leaves out the link to a manifest at the root of the origin."""
    return _MANIFEST.sub(b"", page)


def make_root_relative(page: bytes, root: str) -> bytes:
    """Takes scheme and host out of Gradio's own address, so that the browser uses its own.

    Behind a portal, the Host that arrives here can be the compute node's, and the scheme is always http.

    Args:
        page: the HTML.
        root: the public path of the chat, such as `/node/h/1/chat`.

    Example:
        >>> make_root_relative(b'{"root":"http://node:1/node/h/1/chat"}', "/node/h/1/chat")
        b'{"root":"/node/h/1/chat"}'
    """
    address = rb'"https?://[^"/]*' + re.escape(root.encode()) + rb'(?=[/"])'
    return re.sub(address, b'"' + root.encode(), page)
