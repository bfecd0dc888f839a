"""One answer of the model as it grows, and the figures under it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from curc_llm.chat.gateway_client import GatewayError


@dataclass
class Answer:
    """What has come of one answer so far.

    Args:
        sent_at, first_at, last_at: seconds on the monotonic clock: request sent, first and latest token.
        deltas: how many events carried text; stands in for the tokens until the engine has counted them.
        problem: why the answer broke off, if it did.
    """

    model: str = ""
    text: str = ""
    reasoning: str = ""
    deltas: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    sent_at: float = field(default_factory=time.monotonic)
    first_at: float | None = None
    last_at: float | None = None
    reasoned_until: float | None = None
    stopped: bool = False
    problem: GatewayError | None = None

    @property
    def is_empty(self) -> bool:
        """True while nothing that can be shown has come."""
        return not self.text and not self.reasoning

    @property
    def tokens(self) -> int:
        """Tokens of the answer: the engine's count, or as many as there were events with text."""
        return self.completion_tokens if self.completion_tokens is not None else self.deltas

    @property
    def first_token_s(self) -> float | None:
        """Seconds from sending the request to the first token."""
        return None if self.first_at is None else self.first_at - self.sent_at

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens after the first per second since the first; None when too few to tell."""
        if self.first_at is None or self.last_at is None or self.tokens < 2 or self.last_at <= self.first_at:
            return None
        return (self.tokens - 1) / (self.last_at - self.first_at)

    @property
    def reasoning_s(self) -> float | None:
        """Seconds that the model reasoned; None while it still does, or when it did not."""
        if self.first_at is None or not self.reasoning or self.reasoned_until is None:
            return None
        return self.reasoned_until - self.first_at

    def add(self, event: dict[str, Any], now: float) -> bool:
        """Takes one event of the stream.

        Args:
            event: a `chat.completion.chunk` as the OpenAI API has it.
            now: seconds on the monotonic clock.

        Returns:
            True when there is something new to show.
        """
        self.model = str(event.get("model") or self.model)
        self._add_usage(event.get("usage"))
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        return self._add_delta(choice.get("delta") or {}, now)

    def _add_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.prompt_tokens = usage.get("prompt_tokens", self.prompt_tokens)
            self.completion_tokens = usage.get("completion_tokens", self.completion_tokens)

    def _add_delta(self, delta: dict[str, Any], now: float) -> bool:
        text = delta.get("content") or ""
        # vLLM says `reasoning`; servers before it, and some others, `reasoning_content`.
        reasoning = delta.get("reasoning") or delta.get("reasoning_content") or ""
        if not text and not reasoning:
            return False
        if text and self.reasoned_until is None:
            self.reasoned_until = now
        self.text += text
        self.reasoning += reasoning
        self.deltas += 1
        self.first_at = now if self.first_at is None else self.first_at
        self.last_at = now
        return True


def render_figures(answer: Answer) -> str:
    """The quiet line under an answer.

    Example:
        >>> render_figures(Answer(completion_tokens=12, sent_at=1.0, first_at=1.2, last_at=1.7))
        '12 tokens · 22 tokens/s · first token 0.20 s'
    """
    parts = [f"{answer.tokens:,} token" + ("" if answer.tokens == 1 else "s")]
    if answer.tokens_per_s is not None:
        parts.append(
            f"{answer.tokens_per_s:,.3g} tokens/s"
            if answer.tokens_per_s < 100
            else f"{answer.tokens_per_s:,.0f} tokens/s"
        )
    if answer.first_token_s is not None:
        parts.append(f"first token {answer.first_token_s:.2f} s")
    if answer.stopped:
        parts.append("stopped")
    elif answer.finish_reason == "length":
        parts.append("cut off at the token limit")
    return " · ".join(parts)


def render_details(answer: Answer, max_model_len: int | None) -> str:
    """What unfolds below the figures: one line each of model, prompt size and how it ended."""
    lines = [f"Model: {answer.model}" if answer.model else ""]
    if answer.prompt_tokens is not None:
        used = answer.prompt_tokens + answer.tokens
        room = f" of {max_model_len:,}" if max_model_len else ""
        lines.append(f"Prompt: {answer.prompt_tokens:,} tokens; context used: {used:,}{room}")
    else:
        lines.append("Token counts are those of the pieces that came, as the answer didn't end by itself.")
    if answer.finish_reason == "length":
        lines.append(
            "The answer hit its token limit: raise “Max. tokens” in the settings, or ask it to go on."
        )
    return "  \n".join(line for line in lines if line)
