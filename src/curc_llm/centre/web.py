"""Single HTTP requests as browsers and programs send them: no proxy, no redirect followed, no retry."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 30.0
ANSWER_S = 300.0
MAX_BYTES = 4 * 1024 * 1024
BROWSER = {"Accept": "text/html"}


@dataclass(frozen=True)
class Reply:
    """What came back.

    Args:
        status: HTTP's.
        headers: by name in lower case; of several with one name the last.
        body: as text.
    """

    status: int
    headers: Mapping[str, str]
    body: str

    def json(self) -> Any:
        """The body as JSON; None when it isn't."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def ask(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    value: Any = None,
    timeout_s: float = TIMEOUT_S,
) -> Reply:
    """Sends one request: GET, or POST with a form or a JSON value.

    Args:
        url: plain http.
        headers: besides the necessary ones.
        form: what a browser's form sends.
        value: what a program sends, as JSON.
        timeout_s: seconds of silence after which it is given up.

    Raises:
        OSError: nothing answers.
    """
    parts = urlsplit(url)
    body, kind = None, ""
    if form is not None:
        body, kind = urlencode(form), "application/x-www-form-urlencoded"
    elif value is not None:
        body, kind = json.dumps(value), "application/json"
    sent = {**(headers or {}), **({"Content-Type": kind} if kind else {})}
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
    try:
        connection.request("GET" if body is None else "POST", parts.path or "/", body, sent)
        answer = connection.getresponse()
        text = answer.read(MAX_BYTES).decode("utf-8", "replace")
        return Reply(answer.status, {name.lower(): v for name, v in answer.getheaders()}, text)
    except http.client.HTTPException as error:
        raise ConnectionError(f"no HTTP answer ({type(error).__name__})") from error
    finally:
        connection.close()
