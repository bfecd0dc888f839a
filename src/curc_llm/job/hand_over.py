"""When a session submits its successor, and when that one takes over. Pure: a step comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from curc_llm.session.demand import OtherPhase
from curc_llm.session.record import EnginePhase, SessionRecord

# A start that is slower than the last one must not be too late.
START_FACTOR = 1.5
MARGIN_S = 600.0
# Both answer until the first one's end is so near; then all goes to the second.
MOVE_BEFORE_S = 300.0
# Of a hand-over that was asked for at once: the old address goes on for so long, for who has not heard of it.
RELAY_S = 600.0
# What this session waited itself says little of the next wait: more of it than this isn't counted.
MOST_OWN_WAIT_S = 3600.0
# Two jobs are paid for together for so long at most: a successor that begins earlier takes over as soon as it
# can, and the first one ends.
MOST_OVERLAP_S = 7200.0
# For less more time a job keeps its place in the queue.
MORE_TIME_S = 1800.0
MOST_TRIES = 3
RETRY_AFTER_S = 60.0


class Step(Enum):
    """What is to be done now."""

    WAIT = "wait"
    SUBMIT = "submit"
    MOVE = "move"
    DROP = "drop"
    TAKE_BACK = "take back"
    END = "end"


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    Args:
        hours: how long the models are to be served after the hand-over.
        is_now: hand over as soon as may be, not only when the wall time is nearly over.
    """

    hours: float
    is_now: bool = False


@dataclass(frozen=True)
class Estimate:
    """How long a successor takes until it can answer.

    Args:
        queue_s: seconds in Slurm's queue: what Slurm expects, or what this session itself has waited.
        start_s: seconds from its job's start until its models answered.
    """

    queue_s: float
    start_s: float

    @property
    def lead_s(self) -> float:
        """Seconds before the end at which it must be submitted.

        Example:
            >>> Estimate(queue_s=3600, start_s=200).lead_s
            4500.0
        """
        return self.queue_s + self.start_s * START_FACTOR + MARGIN_S


def estimate_queue_s(waited_s: float, expected_s: float) -> float:
    """How long a successor is likely to wait.

    Args:
        waited_s: what this session waited itself, which may have been on a busier day.
        expected_s: what Slurm expects now; 0 where it can't tell.

    Example:
        >>> estimate_queue_s(20 * 3600, 0), estimate_queue_s(60, 7200)
        (3600.0, 7200)
    """
    return max(0.0, min(waited_s, MOST_OWN_WAIT_S), expected_s)


def measure_start_s(record: SessionRecord, now: float) -> float:
    """What a session's own start took, without downloads: a successor finds the weights where they are.

    Args:
        record: the session's.
        now: Unix time; while the session starts, what it has taken so far counts.

    Returns:
        Seconds from the start of its job until its models answered.
    """
    until = record.ready_at or now
    downloads = [
        e.download_s + (until - e.phase_since if e.phase is EnginePhase.DOWNLOADING else 0.0)
        for e in record.engines
    ]
    return max(0.0, until - record.started_at - max([*downloads, 0.0]))


class HandOver:
    """Decides, and remembers how often it was tried. Times are monotonic seconds.

    Args:
        wish: what was asked for.

    Example:
        >>> plan = HandOver(Wish(hours=4))
        >>> [plan.decide(0, left_s, Estimate(0, 100), None).value for left_s in (3600, 700)]
        ['wait', 'submit']
    """

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.moved_s: float | None = None
        self.why_none = GAVE_UP
        self._is_early = False
        self._end_s: float | None = None
        self._tries = 0
        self._not_before_s = float("-inf")

    @property
    def gave_up(self) -> bool:
        """True when no successor could be made for good."""
        return self._tries >= MOST_TRIES

    def decide(self, now_s: float, left_s: float, estimate: Estimate, successor: OtherPhase | None) -> Step:
        """What to do now.

        Args:
            now_s: monotonic seconds.
            left_s: seconds of this session's wall time left.
            estimate: how long a successor takes.
            successor: how it is doing; None while there is none.
        """
        if successor is None:
            self._end_s = None
            is_due = self.wish.is_now or left_s <= estimate.lead_s
            may_try = not self.gave_up and now_s >= self._not_before_s
            return Step.SUBMIT if is_due and may_try else Step.WAIT
        if self.moved_s is not None:
            return self._decide_moved(now_s, successor)
        needed_s = max(estimate.lead_s, MOST_OVERLAP_S) + MORE_TIME_S
        # One that has begun is kept: it is paid for, and may be answering.
        if self._has_more_time(now_s + left_s) and successor is OtherPhase.QUEUED and left_s > needed_s:
            return Step.DROP
        self._is_early = left_s > MOST_OVERLAP_S
        is_time = self.wish.is_now or self._is_early or left_s <= MOVE_BEFORE_S
        return Step.MOVE if successor is OtherPhase.READY and is_time else Step.WAIT

    def _has_more_time(self, end_s: float) -> bool:
        """Whether Slurm has moved the end meanwhile: to hand over early would give that time up."""
        self._end_s = end_s if self._end_s is None else min(self._end_s, end_s)
        return not self.wish.is_now and end_s - self._end_s > MORE_TIME_S

    def _decide_moved(self, now_s: float, successor: OtherPhase) -> Step:
        assert self.moved_s is not None  # noqa: S101 - the caller looked
        if successor is OtherPhase.ENDED:
            return Step.TAKE_BACK
        is_over = (self.wish.is_now or self._is_early) and now_s - self.moved_s > RELAY_S
        return Step.END if is_over else Step.WAIT

    def note_move(self, now_s: float) -> None:
        """The successor answers from now on."""
        self.moved_s = now_s

    def note_failure(self, now_s: float) -> None:
        """There is no successor after all; the next is tried a little later."""
        self.moved_s = None
        self._tries += 1
        self._not_before_s = now_s + RETRY_AFTER_S

    def give_up(self, why: str) -> None:
        """No other successor is tried.

        Args:
            why: in a person's words.
        """
        self._tries = MOST_TRIES
        self.why_none = why


GAVE_UP = "No job to hand over to could be made; the session ends at the end of its time."
