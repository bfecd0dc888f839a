"""A model's wish that a function be called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """One call that a model asks for. It is the model's word: check it before you act on it.

    Args:
        call_id: what the result must name.
        name: the function.
        arguments: by name; empty when what the model wrote is no JSON object.
        text: the arguments as the model wrote them.
    """

    call_id: str
    name: str
    arguments: dict[str, Any]
    text: str

    def to_json(self) -> dict[str, Any]:
        """The call as the API takes it in a conversation."""
        return {
            "id": self.call_id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.text},
        }


def make_tool_call(call_id: str, name: str, text: str) -> ToolCall:
    """A call from what a model wrote.

    Example:
        >>> make_tool_call("1", "add", '{"a": 1}').arguments
        {'a': 1}
    """
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        arguments = {}
    return ToolCall(call_id, name, arguments if isinstance(arguments, dict) else {}, text)


def read_tool_calls(message: Any) -> tuple[ToolCall, ...]:
    """The calls of a message as the openai library returns it."""
    found = getattr(message, "tool_calls", None) or ()
    return tuple(
        make_tool_call(c.id, c.function.name, c.function.arguments or "")
        for c in found
        if getattr(c, "function", None)
    )
