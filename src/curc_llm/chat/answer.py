"""One answer of the model as it grows, and the figures under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curc_llm.chat.gateway_client import GatewayError
from curc_llm.chats.timing import Timing


@dataclass
class Answer(Timing):
    """What has come of one answer so far, and when.

    Args:
        problem: why the answer broke off, if it did.
    """

    model: str = ""
    text: str = ""
    reasoning: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
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
        self.text += text
        self.reasoning += reasoning
        self.note_piece(is_text=bool(text), now=now)
        return True
