"""How many rows are asked at once: enough to keep the engine full, few enough to leave others their turn.

It begins with START rows and sends no more before the first was answered: how long rows take isn't known
till then, and on a slow machine more at once would only make the first one later.

An engine works on as many requests as its memory allows and lets the others wait. While nobody waits there,
more are sent; when many wait, fewer: the engine stays full either way, and a person who chats beside the
batch waits behind a few rows, not behind thousands.
"""

from __future__ import annotations

import re

START = 32
MAX_ROWS = 1024
# Where the engine's figures can't be had.
BLIND_ROWS = 64
GROWTH = 1.5
# Rows that wait at the engine, as a share of those it works on, above which fewer are sent; some must wait,
# so that the engine never has nothing to begin.
MOST_WAITING = 0.25
FEW_WAITING = 8

_WRITTEN = re.compile(r"^vllm:generation_tokens_total\{([^}]*)\} ([0-9.e+]+)\s*$", re.MULTILINE)
_GAUGE = re.compile(r"^vllm:num_requests_(running|waiting)\{([^}]*)\} ([0-9.e+]+)\s*$", re.MULTILINE)


class Pace:
    """How many rows may be under way.

    Args:
        fixed: as many as the person said; None to follow the engine.
        most: never more than these.
    """

    def __init__(self, fixed: int | None = None, most: int = MAX_ROWS) -> None:
        self.follows_engine = fixed is None
        self._ceiling = fixed or min(most, MAX_ROWS)
        self._limit = float(fixed or min(START, self._ceiling))
        self._was_refused = False
        self._has_answers = False

    @property
    def limit(self) -> int:
        """Rows that may be under way now."""
        return max(1, int(self._limit))

    def note_refused(self) -> None:
        """The session said 429: half as many."""
        self._limit = max(1.0, self._limit / 2)
        self._was_refused = True

    def note_done(self) -> None:
        """A row was answered; after a refusal the limit creeps back, by one for each round."""
        self._has_answers = True
        if self._was_refused and self._limit < self._ceiling:
            self._limit = min(self._ceiling, self._limit + 1 / self._limit)

    def note_load(self, running: float, waiting: float, ours: int) -> None:
        """What the engine says of itself.

        Args:
            running: requests that it works on, of everybody.
            waiting: requests that wait there.
            ours: rows that are under way.
        """
        if not self.follows_engine or self._was_refused:
            return
        if waiting > max(FEW_WAITING, MOST_WAITING * running):
            excess = waiting - max(FEW_WAITING, MOST_WAITING * running)
            self._limit = max(1.0, self._limit - excess / 2)
        elif self._has_answers and waiting < FEW_WAITING / 2 and ours >= self.limit:
            self._limit = min(self._ceiling, self._limit * GROWTH)

    def note_blind(self) -> None:
        """The engine's figures can't be had."""
        if self.follows_engine and not self._was_refused:
            self._limit = min(BLIND_ROWS, self._ceiling)


def parse_load(metrics: str, model: str) -> tuple[float, float] | None:
    """Running and waiting requests of a model's engines, from `GET /metrics`; None when it doesn't say.

    Example:
        >>> parse_load('vllm:num_requests_running{model_name="m"} 3.0', "m")
        (3.0, 0.0)
    """
    sums: dict[str, float] = {}
    for name, labels, value in _GAUGE.findall(metrics):
        if f'model_name="{model}"' in labels:
            sums[name] = sums.get(name, 0.0) + float(value)
    return (sums.get("running", 0.0), sums.get("waiting", 0.0)) if sums else None


def parse_written(metrics: str, model: str) -> float | None:
    """Tokens that a model's engines have written since they began, for everybody; None when it doesn't say.

    Example:
        >>> parse_written('vllm:generation_tokens_total{model_name="m"} 120.0', "m")
        120.0
    """
    found = [float(value) for labels, value in _WRITTEN.findall(metrics) if f'model_name="{model}"' in labels]
    return sum(found) if found else None
