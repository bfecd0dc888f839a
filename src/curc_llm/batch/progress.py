"""How a batch is getting on: one frozen value, and what counts it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

WINDOW_S = 30.0
SAMPLE_S = 0.5
MAX_REASONS = 5
# Looks at the engine's own count, one each second, that the rate before the first answer is made of.
WRITTEN_LOOKS = 8


class RunState(StrEnum):
    """What a batch is doing."""

    STARTING = "starting"
    ASKING = "asking"
    WAITING = "waiting"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Progress:
    """How a batch is getting on.

    Args:
        done: rows that have their answer, those of earlier runs included.
        failed: rows that were given up; their reasons are in the results.
        total: all rows.
        resumed: rows that were settled when this run began.
        running: rows that are being asked now.
        state: what the batch is doing; `note` says it in a sentence when it waits, or why it stopped.
        elapsed_s: seconds since this run began.
        rows_per_s, tokens_per_s: over the last half minute; tokens that were written, or for embeddings read.
            Until the first row has ended, tokens that the engine writes, for others too.
        prompt_tokens, completion_tokens: read and written in this run.
        eta_s: seconds until the end; None while it can't be told.
        su_used: service units that the session cost since this run began; None where nothing is billed.
        su_eta: service units that the rest will cost; None where it can't be told.
        su_unit: what the site calls them.
        session_left_s: seconds until the session's wall time is over; None when it has none.
        reasons: why rows failed, and how many; the most frequent first.
    """

    done: int = 0
    failed: int = 0
    total: int = 0
    resumed: int = 0
    running: int = 0
    state: RunState = RunState.STARTING
    note: str = ""
    elapsed_s: float = 0.0
    rows_per_s: float = 0.0
    tokens_per_s: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    eta_s: float | None = None
    su_used: float | None = None
    su_eta: float | None = None
    su_unit: str = "SU"
    session_left_s: float | None = None
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def settled(self) -> int:
        """Rows that won't be asked any more."""
        return self.done + self.failed

    @property
    def fraction(self) -> float:
        """0 to 1."""
        return self.settled / self.total if self.total else 1.0

    @property
    def outlives_session(self) -> bool:
        """Whether the session will be over before the batch is."""
        return self.eta_s is not None and self.session_left_s is not None and self.eta_s > self.session_left_s


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    rows: int
    tokens: int


class Tracker:
    """Counts.

    Args:
        total: all rows.
        done, failed: rows that are settled already.
        su_per_h: what the session costs; None where nothing is billed.
        su_unit: what the site calls it.
        ends_at: Unix time of the session's end; None when it has none.
        clock: seconds from a clock that never jumps.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        failed: int = 0,
        *,
        su_per_h: float | None = None,
        su_unit: str = "SU",
        ends_at: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._resumed = total, done + failed
        self.done, self.failed, self.running = done, failed, 0
        self.state, self.note = RunState.STARTING, ""
        self.prompt_tokens = self.completion_tokens = 0
        self.ends_at = ends_at
        self._su_per_h, self._su_unit, self._clock = su_per_h, su_unit, clock
        self._began_s = clock()
        self._ended_s: float | None = None
        self._samples: deque[_Sample] = deque([self._make_sample()])
        self._written: deque[tuple[float, float]] = deque(maxlen=WRITTEN_LOOKS)
        self._reasons: dict[str, int] = {}

    def add_done(self, prompt_tokens: int, completion_tokens: int) -> None:
        """A row has its answer."""
        self.done += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens

    def add_failed(self, reason: str, prompt_tokens: int = 0, completion_tokens: int = 0) -> None:
        """A row was given up; tokens of an answer that can't be used were spent all the same."""
        self.failed += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        if reason in self._reasons or len(self._reasons) < 1000:  # reasons may name the row
            self._reasons[reason] = self._reasons.get(reason, 0) + 1

    @property
    def is_silent(self) -> bool:
        """Whether no row has ended yet in this run."""
        return self.done + self.failed == self._resumed and self._ended_s is None

    def note_written(self, tokens: float | None) -> None:
        """What the engine has written in all: the only sign of life until the first row ends."""
        if tokens is not None and self.is_silent:
            self._written.append((self._clock(), tokens))

    def set_state(self, state: RunState, note: str = "") -> None:
        """What the batch does from now on."""
        if state is not self.state and state is RunState.ASKING:
            self._samples = deque([self._make_sample()])  # time spent waiting says nothing of the speed
        if state is not self.state:
            self._written.clear()  # an engine that began anew counts anew
        if state in {RunState.DONE, RunState.STOPPED} and self._ended_s is None:
            self._ended_s = self._clock()
        self.state, self.note = state, note

    def tick(self) -> None:
        """Takes a sample for the rates; called several times a second."""
        now_s = self._clock()
        if now_s - self._samples[-1].at_s >= SAMPLE_S:
            self._samples.append(self._make_sample())
        while len(self._samples) > 2 and now_s - self._samples[0].at_s > WINDOW_S:
            self._samples.popleft()

    def _make_sample(self) -> _Sample:
        tokens = self.completion_tokens or self.prompt_tokens
        return _Sample(self._clock(), self.done + self.failed, tokens)

    @property
    def progress(self) -> Progress:
        """How it is now."""
        elapsed_s = (self._ended_s or self._clock()) - self._began_s
        rows_per_s, tokens_per_s = self._rates()
        left = self._total - self.done - self.failed
        eta_s = 0.0 if not left else left / rows_per_s if rows_per_s else None
        hourly = self._su_per_h
        return Progress(
            done=self.done,
            failed=self.failed,
            total=self._total,
            resumed=self._resumed,
            running=self.running,
            state=self.state,
            note=self.note,
            elapsed_s=elapsed_s,
            rows_per_s=rows_per_s,
            tokens_per_s=tokens_per_s,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            eta_s=eta_s,
            su_used=None if hourly is None else hourly * elapsed_s / 3600,
            su_eta=None if hourly is None or eta_s is None else hourly * eta_s / 3600,
            su_unit=self._su_unit,
            session_left_s=None if self.ends_at is None else max(0.0, self.ends_at - time.time()),
            reasons=tuple(sorted(self._reasons.items(), key=lambda item: -item[1])[:MAX_REASONS]),
        )

    def _rates(self) -> tuple[float, float]:
        """Rows and tokens per second over the window; of the whole run once it is over."""
        last = self._make_sample()
        first = self._samples[0]
        if self._ended_s is not None:
            first, last = (
                _Sample(self._began_s, self._resumed, 0),
                _Sample(self._ended_s, last.rows, last.tokens),
            )
        seconds = last.at_s - first.at_s
        if seconds <= 0:
            return 0.0, 0.0
        if self.is_silent:
            return 0.0, self._written_per_s()
        return (last.rows - first.rows) / seconds, (last.tokens - first.tokens) / seconds

    def _written_per_s(self) -> float:
        if len(self._written) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._written[0], self._written[-1]
        return max(0.0, (last - first) / (last_s - first_s)) if last_s > first_s else 0.0
