"""When a session submits its successor, and when that one takes over. Pure: a step comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from curc_llm.session.demand import OtherPhase

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
MOST_TRIES = 3
RETRY_AFTER_S = 60.0


class Step(Enum):
    """What is to be done now."""

    WAIT = "wait"
    SUBMIT = "submit"
    MOVE = "move"
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
        self._is_early = False
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
            is_due = self.wish.is_now or left_s <= estimate.lead_s
            may_try = not self.gave_up and now_s >= self._not_before_s
            return Step.SUBMIT if is_due and may_try else Step.WAIT
        if self.moved_s is not None:
            return self._decide_moved(now_s, successor)
        self._is_early = left_s > MOST_OVERLAP_S
        is_time = self.wish.is_now or self._is_early or left_s <= MOVE_BEFORE_S
        return Step.MOVE if successor is OtherPhase.READY and is_time else Step.WAIT

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

    def give_up(self) -> None:
        """No other successor is tried."""
        self._tries = MOST_TRIES
