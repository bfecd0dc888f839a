"""OpenAI's batch input: one request on each line, with custom_id, method, url and body."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curc_llm.batch.row import URLS, Request, make_request
from curc_llm.batch.survey import name_row
from curc_llm.batch.table_in import explain_unreadable, read_objects
from curc_llm.batch.trouble import BatchInputError


def is_openai_file(path: Path) -> bool:
    """Whether the file's first line is a request of OpenAI's batch format."""
    try:
        with path.open("rb") as file:
            first = next((line for line in file if line.strip()), b"")
        value = json.loads(first)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("body"), dict)


@dataclass(frozen=True)
class OpenAiLines:
    """The requests of such a file; can be gone through as often as one likes.

    Args:
        path: the file.
        default_model: for requests that name none.
        model: asked instead of the one that a request names; None to leave it.
        params: fields that requests get which don't have them, such as `max_tokens`.
    """

    path: Path
    default_model: str
    model: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Request]:
        try:
            for index, line in enumerate(read_objects(self.path)):
                yield self._make_request(index, line)
        except OSError as error:
            raise explain_unreadable(self.path, error) from None

    def _make_request(self, index: int, line: dict[str, Any]) -> Request:
        url, body, custom_id = line.get("url"), line.get("body"), line.get("custom_id")
        custom_id = name_row(index) if custom_id is None else custom_id
        if not isinstance(custom_id, str) or not custom_id:
            raise self._refuse(index, "its custom_id isn't a text", 'Such as "custom_id": "row-1".')
        if not isinstance(body, dict):
            raise self._refuse(
                index, "it has no body", 'A line looks like {"custom_id": ..., "body": {...}}.'
            )
        if url not in URLS:
            raise self._refuse(index, f"its url is {url!r}", f"Known are {', '.join(URLS)}.")
        if str(line.get("method", "POST")).upper() != "POST":
            raise self._refuse(index, f"its method is {line['method']!r}", "Requests of a batch are POST.")
        if body.get("stream"):
            raise self._refuse(index, "it asks for a stream", 'Leave out "stream".')
        model = self.model or body.get("model") or self.default_model
        return make_request(custom_id, url, {**self.params, **body, "model": model})

    def _refuse(self, index: int, why: str, remedy: str) -> BatchInputError:
        return BatchInputError(f"Request {index + 1} of {self.path} can't be sent: {why}.", remedy)
