"""Small requests to a session, without the openai library: health, status, metrics, restart.

GETs change nothing, so they are tried again after a broken connection; a POST is sent once. Generations never
come through here.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any

from curc_llm.client.secret import Secret

MAX_BODY_BYTES = 8 * 1024 * 1024
PAUSES_S = (0.2, 0.8)
HTTP_OK = 200


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A session never redirects these; following one would carry the key to a stranger."""

    def redirect_request(self, *_: Any) -> None:
        return None


def get_json(
    url: str, secret: Secret | None = None, *, timeout_s: float = 10.0
) -> tuple[int, dict[str, Any]]:
    """GETs a JSON object; an answer that isn't one counts as empty.

    Args:
        url: http or https.
        secret: sent as `Authorization: Bearer`.
        timeout_s: seconds for each of three tries.

    Returns:
        HTTP status and body.

    Raises:
        OSError: nothing answered at that address.
    """
    status, body = _get(url, secret, timeout_s, "application/json")
    return status, parse_object(body)


def get_text(url: str, secret: Secret | None = None, *, timeout_s: float = 10.0) -> str:
    """GETs a text; empty when the session has none at that address. Takes what `get_json` takes."""
    status, body = _get(url, secret, timeout_s, "text/plain")
    return body.decode("utf-8", "replace") if status == HTTP_OK else ""


def post_json(
    url: str, secret: Secret, value: dict[str, Any], *, timeout_s: float = 10.0
) -> tuple[int, dict[str, Any]]:
    """POSTs a JSON object, once; returns HTTP status and body. Takes what `get_json` takes, raises as it."""
    status, body = _ask_once(url, secret, timeout_s, "application/json", json.dumps(value).encode())
    return status, parse_object(body)


def delete_json(url: str, secret: Secret, *, timeout_s: float = 10.0) -> tuple[int, dict[str, Any]]:
    """DELETEs, once; returns HTTP status and body. Takes what `get_json` takes, raises as it does."""
    status, body = _ask_once(url, secret, timeout_s, "application/json", method="DELETE")
    return status, parse_object(body)


def _get(url: str, secret: Secret | None, timeout_s: float, accept: str) -> tuple[int, bytes]:
    for pause_s in PAUSES_S:
        try:
            return _ask_once(url, secret, timeout_s, accept)
        except OSError:
            time.sleep(pause_s)
    return _ask_once(url, secret, timeout_s, accept)


def _ask_once(
    url: str,
    secret: Secret | None,
    timeout_s: float,
    accept: str,
    data: bytes | None = None,
    method: str | None = None,
) -> tuple[int, bytes]:
    headers = {"Accept": accept} | ({"Content-Type": "application/json"} if data is not None else {})
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - source.py allows http(s) only
    if secret is not None:
        request.add_unredirected_header("Authorization", f"Bearer {secret.reveal()}")
    # No proxy: a session is inside the cluster or behind a tunnel, where HTTP_PROXY would only be in the way.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return answer.status, answer.read(MAX_BODY_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MAX_BODY_BYTES)
    except http.client.HTTPException as error:
        raise ConnectionError(f"no HTTP answer ({type(error).__name__})") from None


def parse_object(body: bytes) -> dict[str, Any]:
    """A body's JSON object; an empty one where it holds anything else."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
