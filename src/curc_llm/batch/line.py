"""One line of the results: OpenAI's batch output, whose `id` says which row it is and what that row asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from curc_llm.batch.row import DIGEST_BYTES

ID_PREFIX = "batch_req_"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which row a line is of.

    Args:
        index: its place in the input, from 0.
        digest: what it asked (`Request.digest`).
    """

    index: int
    digest: bytes

    def render(self) -> str:
        """As it stands in a line's `id`.

        Example:
            >>> Identity(3, bytes(12)).render()
            'batch_req_3_000000000000000000000000'
        """
        return f"{ID_PREFIX}{self.index}_{self.digest.hex()}"


def parse_identity(text: Any) -> Identity | None:
    """The identity that `render` wrote; None for anything else."""
    if not isinstance(text, str) or not text.startswith(ID_PREFIX):
        return None
    number, _, digest = text.removeprefix(ID_PREFIX).partition("_")
    if not (number.isascii() and number.isdigit() and len(number) < 12 and len(digest) == 2 * DIGEST_BYTES):
        return None
    try:
        return Identity(int(number), bytes.fromhex(digest))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row has no answer that can be used.

    Args:
        code: a stable name, such as `schema_mismatch`.
        message: a sentence.
    """

    code: str
    message: str


def render_line(
    identity: Identity,
    custom_id: str,
    *,
    status: int | None,
    request_id: str = "",
    body: bytes = b"",
    error: RowError | None = None,
) -> bytes:
    """The line of one row, with its line feed.

    Args:
        identity: which row.
        custom_id: what the input calls it.
        status: HTTP's; None when no answer came.
        request_id: the gateway's, to find the request in its log.
        body: the answer's JSON as it came; it isn't written anew, only put on one line.
        error: why the row failed.
    """
    whole = body.strip() if body.strip().startswith(b"{") else b"null"
    if b"\n" in whole or b"\r" in whole:  # in JSON a line feed is never part of a text
        whole = whole.replace(b"\r", b" ").replace(b"\n", b" ")
    head = {"id": identity.render(), "custom_id": custom_id}
    answer = b"null"
    if status is not None:
        known = _dump({"status_code": status, "request_id": request_id})
        answer = known[:-1] + b',"body":' + whole + b"}"
    why = b"null" if error is None else _dump({"code": error.code, "message": error.message})
    return _dump(head)[:-1] + b',"response":' + answer + b',"error":' + why + b"}\n"


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def parse_line(line: bytes) -> tuple[Identity, dict[str, Any]] | None:
    """A line's identity and content; None when it isn't one of ours, or isn't whole."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    identity = parse_identity(value.get("id")) if isinstance(value, dict) else None
    return None if identity is None else (identity, value)
