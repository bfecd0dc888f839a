"""How much of a model's context a conversation takes: counted where the engine has, else estimated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from curc_llm.attachments.tokens import estimate_tokens
from curc_llm.chat.gauge import LEARN_FROM_TOKENS, MOST_RATIO, ApiMessage, Gauge, read_content

# Room that is kept for an answer whose length nobody has set.
ANSWER_TOKENS = 1024
NEAR, FULL = 0.75, 0.95
Level = Literal["calm", "near", "full"]


@dataclass(frozen=True)
class Counted:
    """What the engine counted of the latest request of this chat.

    Args:
        messages: what was sent.
        prompt_tokens: the engine's count of it.
        answer_tokens: those of the answer, when all of it is sent again; None when the model reasoned, since
            most chat templates leave earlier reasoning out.
    """

    messages: Sequence[ApiMessage]
    prompt_tokens: int
    answer_tokens: int | None = None

    @cached_property
    def text_ratio(self) -> float:
        """Tokens that the engine counted for each one of `estimate_tokens`, the measure of attachments."""
        estimate = sum(estimate_tokens(read_content(message)) for message in self.messages)
        if estimate < LEARN_FROM_TOKENS:
            return 1.0
        return min(max(self.prompt_tokens / estimate, 1 / MOST_RATIO), MOST_RATIO)

    @property
    def gauge(self) -> Gauge:
        """A gauge that has learnt from this count."""
        return Gauge().learn(self.messages, self.prompt_tokens)


@dataclass(frozen=True)
class ContextUse:
    """How full a context is.

    Args:
        counted_tokens: as the engine counted them.
        estimated_tokens: of what came since.
        max_model_len: the context, in tokens; None while it isn't known.
        reserved_tokens: kept for the answer.

    Example:
        >>> use = ContextUse(2800, 410, 8192, 1024)
        >>> use.used_tokens, use.level, use.is_over
        (3210, 'calm', False)
    """

    counted_tokens: int
    estimated_tokens: int
    max_model_len: int | None = None
    reserved_tokens: int = 0

    @property
    def used_tokens(self) -> int:
        """Tokens of the conversation with all that would be sent now."""
        return self.counted_tokens + self.estimated_tokens

    @property
    def room_tokens(self) -> int | None:
        """Tokens that a conversation may take, the answer's room left out; None when that isn't known."""
        return None if self.max_model_len is None else max(self.max_model_len - self.reserved_tokens, 0)

    @property
    def share(self) -> float:
        """The part of the room that is used; above 1 when it doesn't fit, 0 when the room isn't known."""
        room = self.room_tokens
        return 0.0 if room is None else self.used_tokens / max(room, 1)

    @property
    def level(self) -> Level:
        """`near` from 75 % of the room on, `full` from 95 %."""
        return "full" if self.share >= FULL else "near" if self.share >= NEAR else "calm"

    @property
    def is_over(self) -> bool:
        """Whether the next question has no room."""
        return self.room_tokens is not None and self.used_tokens > self.room_tokens


def measure(
    messages: Sequence[ApiMessage],
    *,
    attachment_tokens: int = 0,
    counted: Counted | None = None,
    max_model_len: int | None = None,
    max_tokens: int | None = None,
) -> ContextUse:
    """Measures what would be sent now.

    Args:
        messages: as the API has them, with what stands in the message box, if it should count.
        attachment_tokens: of files that are attached but not in the messages yet.
        counted: the latest count of the engine; it counts when the messages begin with what it counted.
        max_model_len: the model's context in tokens.
        max_tokens: the longest answer that was asked for.
    """
    reserved = find_reserve(max_model_len, max_tokens)
    if counted is None:
        return ContextUse(0, Gauge().count(messages) + attachment_tokens, max_model_len, reserved)
    num = len(counted.messages)
    if not _begins_with(messages, counted.messages):
        return ContextUse(0, counted.gauge.count(messages) + attachment_tokens, max_model_len, reserved)
    tokens, rest = counted.prompt_tokens, list(messages[num:])
    if rest and rest[0].get("role") == "assistant" and counted.answer_tokens is not None:
        tokens, rest = tokens + counted.answer_tokens, rest[1:]
    return ContextUse(tokens, counted.gauge.count(rest) + attachment_tokens, max_model_len, reserved)


def find_reserve(max_model_len: int | None, max_tokens: int | None) -> int:
    """Tokens kept for the answer: those that were set, else 1,024 or a quarter of a short context.

    vLLM 0.32 takes a request whose prompt and `max_tokens` together are longer than the context, and cuts the
    answer where the context ends; the page keeps what was set.

    Example:
        >>> find_reserve(8192, None), find_reserve(2048, None), find_reserve(8192, 300)
        (1024, 512, 300)
    """
    if max_tokens is not None:
        return max_tokens
    return ANSWER_TOKENS if max_model_len is None else min(ANSWER_TOKENS, max_model_len // 4)


def make_digest(messages: Sequence[Mapping[str, Any]]) -> str:
    """Tells one run of messages from another.

    Example:
        >>> make_digest([{"role": "user", "content": "Hi"}]) == make_digest([])
        False
    """
    digest = hashlib.sha256()
    for message in messages:
        digest.update(json.dumps([message.get("role"), message.get("content")]).encode())
    return digest.hexdigest()[:16]


def _begins_with(messages: Sequence[ApiMessage], beginning: Sequence[ApiMessage]) -> bool:
    return list(messages[: len(beginning)]) == list(beginning)


def render_use(use: ContextUse) -> str:
    """The figure in words; "about" while a part of it is an estimate.

    Example:
        >>> render_use(ContextUse(2825, 385, 8192, 1024))
        'about 3,210 of 8,192 tokens'
    """
    of = "" if use.max_model_len is None else f" of {use.max_model_len:,}"
    about = "about " if use.estimated_tokens else ""
    return f"{about}{use.used_tokens:,}{of} tokens"
