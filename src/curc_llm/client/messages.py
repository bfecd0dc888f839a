"""Prompts as people write them, turned into what the API takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curc_llm.errors import PromptError

Prompt = str | Sequence[Mapping[str, Any]]
_LOOKS = 'Messages look like {"role": "user", "content": "..."}.'


def make_messages(prompt: Prompt, system: str | None = None) -> list[dict[str, Any]]:
    """Messages from one question, or from a conversation that is already a list of messages.

    Args:
        prompt: a question, or messages with `role` and `content`.
        system: instructions that go first.

    Raises:
        PromptError: it is neither, a message has no role, or there are two sets of instructions.

    Example:
        >>> make_messages("Hi", system="Be brief.")
        [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}]
    """
    given = [{"role": "user", "content": clean(prompt)}] if isinstance(prompt, str) else _read(prompt)
    if not given or not all("role" in message for message in given):
        raise PromptError("The conversation has no message, or one without a role.", _LOOKS)
    if system is None:
        return given
    if given[0]["role"] == "system":
        raise PromptError("The messages begin with a system message already.", "Leave out system=.")
    check_text(system, "system")
    return [{"role": "system", "content": clean(system)}, *given]


def _read(prompt: Any) -> list[dict[str, Any]]:
    try:
        return [dict(message) for message in prompt]  # openai's own message objects become dicts so, too
    except (TypeError, ValueError):
        raise PromptError(
            f"The prompt is {type(prompt).__name__} {prompt!r:.40}, neither a text nor a list of messages.",
            f"Give a question as text. {_LOOKS}",
        ) from None


def check_text(value: Any, what: str) -> str:
    """The value, which must be a text.

    Raises:
        PromptError: it is none.
    """
    if isinstance(value, str):
        return value
    raise PromptError(f"{what} is {type(value).__name__} {value!r:.40}, not a text.", "Give it as a str.")


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
