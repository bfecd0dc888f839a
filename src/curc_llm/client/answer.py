"""A model's answer: a text that also knows how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from curc_llm.client.tool_call import ToolCall, read_tool_calls


@dataclass(frozen=True)
class Usage:
    """What an answer took.

    Args:
        prompt_tokens: tokens that were read.
        completion_tokens: tokens that were written, reasoning included.
    """

    prompt_tokens: int
    completion_tokens: int

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.prompt_tokens + self.completion_tokens


class Answer(str):
    """The text of an answer. It is a plain `str`, with these attributes besides.

    Args:
        text: the answer.
        reasoning: what the model thought before it answered, empty for models that don't say.
        usage: tokens read and written; None when the session didn't tell.
        finish_reason: `stop` when the model was done, `length` when `max_tokens` or the context cut it off,
            `tool_calls` when it asks for a tool.
        model: the served model name that answered.
        tool_calls: functions that the model wants called; see `Session.run_tools`.
        messages: the whole conversation that led here, when `run_tools` held one.
        raw: the whole response as the openai library returns it; None for streams.

    Example:
        >>> answer = Answer("Hello!", finish_reason="stop")
        >>> answer.upper(), answer.finish_reason
        ('HELLO!', 'stop')
    """

    reasoning: str
    usage: Usage | None
    finish_reason: str | None
    model: str
    tool_calls: tuple[ToolCall, ...]
    messages: list[dict[str, Any]]
    raw: Any

    def __new__(
        cls,
        text: str = "",
        *,
        reasoning: str = "",
        usage: Usage | None = None,
        finish_reason: str | None = None,
        model: str = "",
        tool_calls: tuple[ToolCall, ...] = (),
        raw: Any = None,
    ) -> Self:
        """Makes the text and hangs the rest on it."""
        self = super().__new__(cls, text)
        self.reasoning, self.usage, self.finish_reason = reasoning, usage, finish_reason
        self.model, self.tool_calls, self.messages, self.raw = model, tool_calls, [], raw
        return self

    @property
    def text(self) -> str:
        """The answer as a bare `str`."""
        return str.__str__(self)


def make_usage(raw: Any) -> Usage | None:
    """Usage from the openai library's object, None when there is none."""
    if raw is None:
        return None
    return Usage(raw.prompt_tokens or 0, raw.completion_tokens or 0)


def make_chat_answer(raw: Any) -> Answer:
    """The first choice of a chat completion."""
    choice = raw.choices[0]
    return Answer(
        choice.message.content or "",
        reasoning=read_reasoning(choice.message),
        usage=make_usage(raw.usage),
        finish_reason=choice.finish_reason,
        model=raw.model,
        tool_calls=read_tool_calls(choice.message),
        raw=raw,
    )


def make_completion_answer(raw: Any) -> Answer:
    """The first choice of a plain completion."""
    choice = raw.choices[0]
    usage = make_usage(raw.usage)
    return Answer(choice.text, usage=usage, finish_reason=choice.finish_reason, model=raw.model, raw=raw)


def read_reasoning(message: Any) -> str:
    """The reasoning of a message or delta: vLLM says `reasoning`, older servers `reasoning_content`."""
    found = getattr(message, "reasoning", None) or getattr(message, "reasoning_content", None)
    return found if isinstance(found, str) else ""
