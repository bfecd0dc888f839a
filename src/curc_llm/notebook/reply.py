"""One answer as it grows: its text, how it is getting on, its figures, and what went wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from curc_llm.chats.timing import Timing, render_speed
from curc_llm.errors import CurcLlmError

if TYPE_CHECKING:
    from curc_llm.client.answer import Answer, Usage


class Phase(StrEnum):
    """What becomes of an answer."""

    WAITING = "waiting"
    LOADING = "loading"
    REASONING = "reasoning"
    WRITING = "writing"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """True when nothing more will come."""
        return self in {Phase.DONE, Phase.STOPPED, Phase.FAILED}


@dataclass
class Reply(Timing):
    """An answer. One thread writes it; others may read it and stop it.

    Args:
        reply_id: tells it from the others of its widget.
        doing: what the session does while it gets ready.
        at: Unix time at which it was asked for, in seconds.
        parameters: what was asked for besides the messages.
    """

    reply_id: int = 0
    text: str = ""
    thought: str = ""
    phase: Phase = Phase.WAITING
    doing: str = ""
    trouble: CurcLlmError | None = None
    model: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    at: float = field(default_factory=time.time)
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """True when nothing more will come."""
        return self.phase.is_over

    def load(self, doing: str) -> None:
        """The session isn't ready yet.

        Args:
            doing: what it does, in words.
        """
        if not self.is_over:
            self.phase, self.doing = Phase.LOADING, doing

    def send(self) -> None:
        """The question goes out now; times count from here."""
        if not self.is_over:
            self.phase, self.sent_at = Phase.WAITING, time.monotonic()

    def add(self, kind: str, text: str) -> None:
        """A piece has come; what comes after Stop is left out.

        Args:
            kind: `text` or `reasoning`.
            text: lone surrogates, which no message can carry, become question marks.
        """
        if self.is_over:
            return
        clean = text.encode("utf-8", "replace").decode("utf-8")
        self.note_piece(is_text=kind != "reasoning")
        if kind == "reasoning":
            self.phase, self.thought = Phase.REASONING, self.thought + clean
            return
        self.phase, self.text = Phase.WRITING, self.text + clean

    def finish(self, answer: Answer) -> None:
        """All has come."""
        if self.is_over:
            return
        self.usage, self.finish_reason = answer.usage, answer.finish_reason
        self.model = answer.model or self.model
        self.phase = Phase.DONE

    def stop(self) -> None:
        """Nothing more shall come; what has come stays."""
        if not self.is_over:
            self.phase = Phase.STOPPED

    def fail(self, error: CurcLlmError) -> None:
        """It can't go on; what has come stays."""
        if not self.is_over:
            self.phase, self.trouble = Phase.FAILED, error

    @property
    def tokens(self) -> int:
        """Tokens of the answer: the engine's count, or the pieces that came."""
        return self.usage.completion_tokens if self.usage is not None else self.deltas

    def to_json(self) -> dict[str, Any]:
        """What the page shows."""
        return {"id": self.reply_id, "text": self.text, "thought": self.thought, **self.to_json_but_text()}

    def to_json_but_text(self) -> dict[str, Any]:
        """The part that is small."""
        trouble = self.trouble
        return {
            "phase": str(self.phase),
            "line": render_line(self),
            "thought_s": self.reasoning_s,
            "trouble": None if trouble is None else {"message": trouble.message, "remedy": trouble.remedy},
        }


def render_line(reply: Reply) -> str:
    """The quiet line below an answer.

    Example:
        >>> render_line(Reply(phase=Phase.DONE, deltas=12, sent_at=1.0, first_at=1.2, last_at=1.7))
        '12 tokens · 22 tokens/s · first token 0.20 s'
    """
    if reply.phase is Phase.LOADING:
        return f"Waiting for the model: {reply.doing}. Your message is sent when it is ready."
    if reply.phase is Phase.WAITING:
        return "Waiting for the first token"
    if not reply.deltas:
        return "stopped before the model answered" if reply.phase is Phase.STOPPED else ""
    return " · ".join(_list_figures(reply))


def _list_figures(reply: Reply) -> list[str]:
    figures = [f"{reply.tokens:,} token" + ("" if reply.tokens == 1 else "s")]
    if reply.tokens_per_s is not None:
        figures.append(render_speed(reply.tokens_per_s))
    if reply.first_token_s is not None and reply.is_over:
        figures.append(f"first token {reply.first_token_s:.2f} s")
    if reply.phase is Phase.STOPPED:
        figures.append("stopped")
    elif reply.finish_reason == "length":
        figures.append("cut off at the token limit")
    return figures
