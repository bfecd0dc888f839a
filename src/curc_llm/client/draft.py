"""An answer that is being written: pieces of a stream are put together here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from curc_llm.client.answer import Answer, Usage, make_usage, read_reasoning
from curc_llm.client.tool_call import ToolCall, make_tool_call


@dataclass(frozen=True)
class Piece:
    """A part of an answer: `text`, or `reasoning` that comes before it."""

    kind: Literal["text", "reasoning"]
    text: str


@dataclass
class Draft:
    """What has come of an answer so far.

    Args:
        finish_reason: why the model ended; None while it hasn't.
    """

    finish_reason: str | None = None
    _texts: list[str] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _calls: dict[int, list[str]] = field(default_factory=dict)
    _usage: Usage | None = None
    _model: str = ""

    @property
    def answer(self) -> Answer:
        """The answer so far."""
        return Answer(
            "".join(self._texts),
            reasoning="".join(self._thoughts),
            usage=self._usage,
            finish_reason=self.finish_reason,
            model=self._model,
            tool_calls=tuple(self._make_calls()),
        )

    def take(self, chunk: Any) -> Iterator[Piece]:
        """Adds one event of the stream; yields what a reader is to see of it."""
        self._model = chunk.model or self._model
        self._usage = make_usage(chunk.usage) or self._usage
        for choice in chunk.choices[:1]:
            self.finish_reason = choice.finish_reason or self.finish_reason
            self._take_calls(choice.delta)
            yield from self._keep("reasoning", read_reasoning(choice.delta), self._thoughts)
            yield from self._keep("text", choice.delta.content or "", self._texts)

    def _keep(self, kind: Literal["text", "reasoning"], text: str, kept: list[str]) -> Iterator[Piece]:
        if text:
            kept.append(text)
            yield Piece(kind, text)

    def _take_calls(self, delta: Any) -> None:
        """A call's id and name come once, its arguments in pieces."""
        for part in getattr(delta, "tool_calls", None) or ():
            call = self._calls.setdefault(part.index, ["", "", ""])
            call[0] = part.id or call[0]
            if part.function is not None:
                call[1] = part.function.name or call[1]
                call[2] += part.function.arguments or ""

    def _make_calls(self) -> Iterator[ToolCall]:
        for _, (call_id, name, arguments) in sorted(self._calls.items()):
            yield make_tool_call(call_id, name, arguments)
