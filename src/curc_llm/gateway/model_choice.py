"""What a request asks for: the model, whether as a stream, and the body to send to the engine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.routes import Route
from curc_llm.session.keys import KEY_PREFIX

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^;,\s]{1,200}))', re.IGNORECASE)
_FIELD_NAME = re.compile(rb'[;\s]name="?([^";\r\n]*)"?', re.IGNORECASE)
_FORCE_USAGE = b'"stream_options":{"include_usage":true}'


@dataclass(frozen=True)
class Wanted:
    """What a request asks for.

    Args:
        model: the model that is named, None when none is.
        stream: True when the answer is to come as events.
        hides_usage: True when token counts were asked of the engine which the client didn't ask for.
        body: what the engine is sent.
        document: the parsed JSON; None for forms.
    """

    model: str | None
    stream: bool
    hides_usage: bool
    body: bytes
    document: dict[str, Any] | None

    @property
    def own_priority(self) -> Any:
        """The request's field `priority`, None without."""
        return None if self.document is None else self.document.get("priority")


def parse_wanted(route: Route, body: bytes, content_type: str) -> Wanted:
    """Reads a request's body.

    Raises:
        RequestError: it is not what the route takes (400).
    """
    if route.is_form:
        return Wanted(_parse_form_model(body, content_type), False, False, body, None)
    document = _parse_document(body)
    model = document.get("model")
    if model is not None and not isinstance(model, str):
        raise RequestError(
            400, "invalid_request", f"`model` must be a text, not {type(model).__name__}.", param="model"
        )
    stream = document.get("stream") is True
    if not (stream and route.can_force_usage):
        return Wanted(model or None, stream, False, body, document)
    return _with_usage(model or None, body, document)


def _parse_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RequestError(400, "invalid_json", f"The request's body isn't JSON: {reason}.") from None
    if not isinstance(document, dict):
        raise RequestError(
            400, "invalid_json", f"The request's body must be a JSON object, not {_kind(document)}."
        )
    if any(
        isinstance(v, str) and v.startswith(KEY_PREFIX) for k, v in document.items() if "key" in k.lower()
    ):
        raise RequestError(
            400, "invalid_request", "Take the API key out of the body: it goes into a header alone."
        )
    return document


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null", bool: "a truth value"}.get(
        type(value), "a number"
    )


def _with_usage(model: str | None, body: bytes, document: dict[str, Any]) -> Wanted:
    """Makes the engine tell the token counts at the stream's end, for the log, whether asked for or not."""
    options = document.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        return Wanted(model, True, False, body, document)
    if isinstance(options, dict):
        document = {**document, "stream_options": {**options, "include_usage": True}}
        return Wanted(model, True, True, json.dumps(document).encode(), document)
    if "stream_options" in document:  # null, or something that the engine shall refuse in its own words
        if options is not None:
            return Wanted(model, True, False, body, document)
        document = {**document, "stream_options": {"include_usage": True}}
        return Wanted(model, True, True, json.dumps(document).encode(), document)
    return Wanted(model, True, True, insert_field(body, _FORCE_USAGE), document)


def set_priority(wanted: Wanted, value: int) -> Wanted:
    """Tells vLLM how soon a request is to be worked on, whatever the client said of it.

    Args:
        wanted: a request in JSON.
        value: vLLM's: lower goes first.

    Example:
        >>> set_priority(Wanted("m", False, False, b'{"a":1}', {"a": 1}), 10).body
        b'{"priority": 10,"a":1}'
    """
    own = wanted.own_priority
    if wanted.document is None or (own == value if own is not None else not value):
        return wanted
    if own is None and "priority" not in wanted.document:
        return replace(wanted, body=insert_field(wanted.body, b'"priority": %d' % value))
    if own is not None and not isinstance(own, int):
        return wanted  # vLLM refuses it in its own words
    document = json.loads(wanted.body) | {"priority": value}
    return replace(wanted, body=json.dumps(document).encode())


def insert_field(body: bytes, field: bytes) -> bytes:
    """Puts a field into a JSON object in front of its others, without rendering megabytes of it again.

    Example:
        >>> insert_field(b'{"a":1}', b'"b":2')
        b'{"b":2,"a":1}'
    """
    start = body.index(b"{") + 1
    is_empty = body[start:].lstrip()[:1] == b"}" if len(body) < 4096 else False
    return b"".join((body[:start], field, b"" if is_empty else b",", body[start:]))


def _parse_form_model(body: bytes, content_type: str) -> str | None:
    """The field `model` of a multipart form (RFC 7578); the files in it aren't looked into."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        raise RequestError(
            400, "invalid_request", "This route takes a multipart form with the fields `file` and `model`."
        )
    mark = b"--" + (found.group(1) or found.group(2)).encode("latin-1")
    models = set()
    at = body.find(mark)
    while at >= 0:
        head_end = body.find(b"\r\n\r\n", at, at + 8192)
        following = body.find(mark, at + len(mark))
        name = _FIELD_NAME.search(body[at:head_end]) if head_end >= 0 else None
        if name is not None and name.group(1) == b"model" and following >= 0:
            models.add(body[head_end + 4 : following].removesuffix(b"\r\n").decode("utf-8", "replace"))
        at = following
    if len(models) > 1:
        raise RequestError(400, "invalid_request", "The form names two models.", param="model")
    return models.pop() if models else None
