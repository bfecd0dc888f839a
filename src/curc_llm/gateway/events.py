"""Reads token counts out of an engine's answers, and takes out the event that the client didn't ask for.

Server-sent events are separated by an empty line (HTML standard, 9.2.6). vLLM sends one JSON object per
event, without white space, so an event of interest can be recognised by a few bytes and all others pass
without being looked into.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_SEPARATOR = b"\n\n"
# The words of vLLM's EngineDeadError (vllm/v1/engine/exceptions.py), in an event or an answer of status 500.
ENGINE_DIED = b"EngineCore encountered an issue"
_ERROR_EVENT = b'data: {"error"'
# An event that is longer is passed on unread: nothing that tells token counts is.
_MAX_HELD_BYTES = 1024 * 1024
_TAIL_BYTES = 16 * 1024
_COUNT = re.compile(rb'"(prompt|completion|input|output)_tokens":\s*(\d+)')


@dataclass
class Usage:
    """How many tokens a request took, None while not known."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    def update(self, found: object) -> None:
        """Takes counts from a `usage` object of any of the APIs."""
        if not isinstance(found, dict):
            return
        prompt = found.get("prompt_tokens", found.get("input_tokens"))
        completion = found.get("completion_tokens", found.get("output_tokens"))
        self.prompt_tokens = prompt if isinstance(prompt, int) else self.prompt_tokens
        self.completion_tokens = completion if isinstance(completion, int) else self.completion_tokens


def find_death(data: bytes) -> int:
    r"""Where in whole events vLLM's server says that its engine core has died under it; -1 when it doesn't.

    Example:
        >>> find_death(b'data: 1\n\ndata: {"error": {"message": "EngineCore encountered an issue."}}\n\n')
        9
    """
    if ENGINE_DIED not in data:
        return -1
    if data.startswith(_ERROR_EVENT):
        return 0
    # JSON escapes line ends, so no text of an answer can look like the beginning of an event.
    found = data.find(_SEPARATOR + _ERROR_EVENT)
    return found + len(_SEPARATOR) if found >= 0 else -1


class EventFilter:
    r"""Watches one stream of events.

    Args:
        mark: bytes that an event with token counts contains.
        drop: the event with the counts alone isn't passed on, because the client didn't ask for it.

    Example:
        >>> events = EventFilter(b'"choices":[]', drop=True)
        >>> events.filter(b'data: {"choices":[],"usage":{"prompt_tokens":3}}\n\ndata: [DONE]\n\n')
        b'data: [DONE]\n\n'
        >>> events.usage.prompt_tokens
        3
    """

    def __init__(self, mark: bytes, *, drop: bool) -> None:
        self.usage = Usage()
        self._mark = mark
        self._drop = drop
        self._held = b""
        self.at_boundary = True  # between two events: only there may something be put in

    def filter(self, data: bytes) -> bytes:
        """What to pass on of the next bytes; an event's beginning is held until its end is there."""
        if self.at_boundary and not self._held and data.endswith(_SEPARATOR) and self._mark not in data:
            return data
        return self._filter_split(self._held + data)

    def _filter_split(self, data: bytes) -> bytes:
        end = data.rfind(_SEPARATOR) + len(_SEPARATOR)
        if end < len(_SEPARATOR):
            end = 0
        if b"\r\n" in data or len(data) - end > _MAX_HELD_BYTES:
            end = len(data)
        whole, self._held = data[:end], data[end:]
        if whole:
            self.at_boundary = whole.endswith((_SEPARATOR, b"\r\n\r\n"))
        if self._mark not in whole:
            return whole
        events = whole.split(_SEPARATOR)
        return _SEPARATOR.join(event for event in events if not (self._mark in event and self._take(event)))

    def _take(self, event: bytes) -> bool:
        """Reads an event's counts; True when it is to be dropped."""
        start = event.find(b"data:")
        try:
            body = json.loads(event[start + 5 :])
        except ValueError:
            return False
        if not isinstance(body, dict):
            return False
        for part in (body, body.get("response"), body.get("message")):
            if isinstance(part, dict):
                self.usage.update(part.get("usage"))
        return self._drop and body.get("choices") == [] and bool(body.get("usage"))

    def flush(self) -> bytes:
        """What is still held when the stream has ended."""
        held, self._held = self._held, b""
        return held


class TailReader:
    """Keeps the end of a JSON answer, where the token counts stand, without parsing what may be megabytes."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the answer."""
        self._tail = data[-_TAIL_BYTES:] if len(data) >= _TAIL_BYTES else (self._tail + data)[-_TAIL_BYTES:]

    def read_usage(self) -> Usage:
        """The counts that were there. JSON escapes quotes in strings, so no text can pretend to be one."""
        usage = Usage()
        start = self._tail.rfind(b'"usage":')
        if start >= 0:
            found = {
                f"{name.decode()}_tokens": int(count) for name, count in _COUNT.findall(self._tail, start)
            }
            usage.update(found)
        return usage
