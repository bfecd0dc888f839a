"""Errors as every OpenAI-compatible client understands them."""

from __future__ import annotations

import json

# The `type` that goes with a status, as OpenAI's API names them.
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    502: "engine_error",
    503: "service_unavailable_error",
}
# The codes of what an engine refuses itself, by the status that it answers with.
_ENGINE_CODES = {404: "not_found", 413: "request_too_large", 429: "queue_full"}


class RequestError(Exception):
    """A request that is answered with an error.

    Args:
        status: HTTP status.
        code: stable name, such as `model_not_found`.
        message: what went wrong and what to do next.
        param: the request's field that was at fault.
        retry_after_s: seconds after which trying again makes sense; None when it doesn't.
        headers: further response headers.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.extra_headers = headers

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The response headers that belong to this error."""
        headers = [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            *self.extra_headers,
        ]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", str(self.retry_after_s).encode()))
        if self.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        return headers

    def render(self) -> bytes:
        """The body: `{"error": {"message", "type", "param", "code"}}`."""
        return json.dumps({"error": self._error()}, ensure_ascii=False).encode()

    def render_event(self, *, named: bool = False) -> bytes:
        """The error as the last event of a stream.

        Args:
            named: with an `event: error` line, as the Responses and Messages APIs want it.
        """
        if not named:
            return b"data: " + self.render() + b"\n\n"
        body = {
            "type": "error",
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "error": self._error(),
        }
        return b"event: error\ndata: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"

    def _error(self) -> dict[str, str | None]:
        kind = _TYPES.get(self.status, "api_error" if self.status >= 500 else "invalid_request_error")
        return {"message": self.message, "type": kind, "param": self.param, "code": self.code}


def name_engine_error(status: int, body: bytes) -> bytes:
    """An engine's error as clients understand it: vLLM puts the status, a number, where `code` is a text.

    Args:
        status: HTTP status.
        body: what the engine said; returned as it is unless it is such an error.

    Example:
        >>> name_engine_error(400, b'{"error": {"message": "m", "code": 400}}')
        b'{"error": {"message": "m", "code": "invalid_request"}}'
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        return body
    error["code"] = _ENGINE_CODES.get(status, "engine_error" if status >= 500 else "invalid_request")
    return json.dumps(document, ensure_ascii=False).encode()


def engine_failed(model: str | None, what: str, retry_after_s: int | None = None) -> RequestError:
    """The answer when an engine fails a request that it was working on (502).

    Args:
        model: its served model name.
        what: what it did, such as `died while it answered`.
        retry_after_s: seconds after which trying again makes sense.
    """
    message = f"The engine of {model!r} {what}. It is restarted; send the request again."
    return RequestError(502, "engine_failed", message, retry_after_s=retry_after_s)
