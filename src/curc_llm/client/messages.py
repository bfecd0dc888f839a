"""Prompts as people write them, turned into what the API takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Prompt = str | Sequence[Mapping[str, Any]]


def make_messages(prompt: Prompt, system: str | None = None) -> list[dict[str, Any]]:
    """Messages from one question, or from a conversation that is already a list of messages.

    Args:
        prompt: a question, or messages with `role` and `content`.
        system: instructions that go first.

    Raises:
        ValueError: a message has no role, or there are two sets of instructions.

    Example:
        >>> make_messages("Hi", system="Be brief.")
        [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}]
    """
    given = (
        [{"role": "user", "content": clean(prompt)}] if isinstance(prompt, str) else list(map(dict, prompt))
    )
    if not given or not all("role" in message for message in given):
        raise ValueError(
            'Messages look like {"role": "user", "content": "..."}; this has none, or one without a role.'
        )
    if system is None:
        return given
    if given[0]["role"] == "system":
        raise ValueError("The messages begin with a system message already; leave out system=.")
    return [{"role": "system", "content": clean(system)}, *given]


def clean(text: str) -> str:
    """The text without lone surrogates (undecodable bytes of a file), which no JSON body can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def place_parameters(function: Callable[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Sorts parameters: those openai knows stay, others such as vLLM's `top_k` go into the body.

    Example:
        >>> def create(*, temperature=None, extra_body=None): ...
        >>> place_parameters(create, {"temperature": 0, "top_k": 5})
        {'temperature': 0, 'extra_body': {'top_k': 5}}
    """
    known = inspect.signature(function).parameters
    placed = {name: value for name, value in params.items() if name in known}
    others = {name: value for name, value in params.items() if name not in known}
    if others:
        placed["extra_body"] = {**others, **(placed.get("extra_body") or {})}
    return placed
