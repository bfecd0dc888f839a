"""Tokens per second over the last seconds."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 10.0


class Speedometer:
    """Remembers how many tokens there were when."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def sample(self, now_s: float, total_tokens: int) -> None:
        """Notes how many tokens there have been in all."""
        self._samples.append((now_s, total_tokens))
        self._forget(now_s)

    def rate(self, now_s: float, total_tokens: int) -> float:
        """Tokens per second since the oldest sample of the last ten seconds; 0 without one."""
        self._forget(now_s)
        if not self._samples:
            return 0.0
        then_s, tokens = self._samples[0]
        return round(max(0, total_tokens - tokens) / max(now_s - then_s, 1.0), 1)

    def _forget(self, now_s: float) -> None:
        while self._samples and now_s - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
