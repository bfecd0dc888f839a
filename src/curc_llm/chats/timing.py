"""When an answer's pieces came, and what follows: time to the first token, speed, time spent reasoning.

The chat page's and the notebook's answers both are one of these.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

# Pieces that arrive within less come in one packet or two: their number tells nothing of the engine's speed.
MIN_STREAM_S = 0.2


@dataclass(kw_only=True)
class Timing:
    """The times of one answer.

    Args:
        deltas: pieces that came; they stand in for tokens until the engine has counted them.
        sent_at, first_at, last_at: seconds on the monotonic clock: question sent, first and latest piece.
        reasoned_until: when the first piece of the text itself came; None while there is none.

    Example:
        >>> timing = Timing(sent_at=10.0)
        >>> timing.note_piece(is_text=False, now=10.5)
        >>> timing.note_piece(is_text=True, now=12.5)
        >>> timing.first_token_s, timing.reasoning_s, timing.tokens_per_s
        (0.5, 2.0, 0.5)
    """

    deltas: int = 0
    sent_at: float = field(default_factory=time.monotonic)
    first_at: float | None = None
    last_at: float | None = None
    reasoned_until: float | None = None

    @property
    def tokens(self) -> int:
        """Tokens of the answer as far as they are known: here as many as there were pieces."""
        return self.deltas

    @property
    def first_token_s(self) -> float | None:
        """Seconds from sending the question to the first piece."""
        return None if self.first_at is None else self.first_at - self.sent_at

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens after the first per second since the first; None when too few, or too soon, to tell."""
        if self.first_at is None or self.last_at is None or self.tokens < 2:
            return None
        passed_s = self.last_at - self.first_at
        return (self.tokens - 1) / passed_s if passed_s >= MIN_STREAM_S else None

    @property
    def reasoning_s(self) -> float | None:
        """Seconds that the model reasoned; None while it still does, or when it did not."""
        if self.first_at is None or self.reasoned_until is None:
            return None
        return self.reasoned_until - self.first_at or None

    def note_piece(self, *, is_text: bool, now: float | None = None) -> None:
        """A piece has come.

        Args:
            is_text: whether it has some of the text, not only of the reasoning.
            now: seconds on the monotonic clock; the clock is asked when not given.
        """
        now = time.monotonic() if now is None else now
        self.first_at = now if self.first_at is None else self.first_at
        self.last_at, self.deltas = now, self.deltas + 1
        if is_text and self.reasoned_until is None:
            self.reasoned_until = now


def render_speed(tokens_per_s: float) -> str:
    """A speed in words: three figures, whole from a hundred on.

    Example:
        >>> render_speed(22.04), render_speed(1234.4)
        ('22 tokens/s', '1,234 tokens/s')
    """
    number = f"{tokens_per_s:,.0f}" if tokens_per_s >= 100 else f"{tokens_per_s:.3g}"
    return f"{number} tokens/s"
