"""The gateway's own pages: files of this folder with values put in, under a strict security policy."""

from __future__ import annotations

import html
import secrets
from functools import cache
from pathlib import Path

from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.request import Headers, Request

_FOLDER = Path(__file__).parent
# A POST from a page with `no-referrer` carries `Origin: null` (Fetch, "append a request Origin header"),
# which the login must refuse. `same-origin` tells other sites nothing either.
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


@cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def render_page(name: str, nonce: str, **values: str) -> bytes:
    """A page with its `{{names}}` replaced; values are escaped.

    Args:
        name: the file's name without `.html`.
        nonce: random text that marks this page's own script and style.
        values: texts by name.
    """
    text = _read(f"{name}.html").replace("{{style}}", _read("page.css")).replace("{{nonce}}", nonce)
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", html.escape(value))
    return text.encode()


async def answer_page(
    request: Request,
    status: int,
    name: str,
    headers: Headers | None = None,
    *,
    posts: bool = False,
    **values: str,
) -> None:
    """Sends a page.

    Args:
        request: what is answered.
        status: HTTP status.
        name: the page's file, without `.html`.
        headers: further headers.
        values: texts that are put in, by name.
        posts: the page has a form that posts to us.
    """
    nonce = secrets.token_urlsafe(16)
    own = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", _POLICY.format(nonce=nonce).encode()),
        (b"referrer-policy", b"same-origin" if posts else b"no-referrer"),
        *SECURITY_HEADERS,
    ]
    await request.answer(status, render_page(name, nonce, **values), [*own, *(headers or [])])


async def answer_fault_page(request: Request, fault: RequestError) -> None:
    """Sends an error to a person's browser."""
    retry: Headers = [(b"retry-after", str(fault.retry_after_s).encode())] if fault.retry_after_s else []
    title = _TITLES.get(fault.status, "This didn't work")
    await answer_page(
        request, fault.status, "message", retry, title=title, message=fault.message, detail=fault.code
    )


_TITLES = {401: "Please log in", 403: "Not allowed", 404: "No such page", 429: "Too many attempts"}
