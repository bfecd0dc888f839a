"""When a session gets another replica, and when it loses one. Pure: seen goes in, a decision comes out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from curc_llm.gateway.channel import Scale
from curc_llm.session.demand import OtherPhase

# A replica that would have less time than this isn't worth its start.
LEAST_S = 600.0
# A replica that ends earlier than this after it was ready counts as failed: the next one would fail likewise.
HEALTHY_S = 300.0
MOST_FAILURES = 4
RETRY_AFTER_S = 30.0
# Requests that one replica is known to bear where nobody says how many it works on at once.
UNKNOWN_SLOTS = 8
# Slurm counts time limits in whole minutes, and ends jobs up to a minute late (slurm.conf, KillWait).
MINUTE_S = 60.0
_COMING = {OtherPhase.QUEUED, OtherPhase.STARTING}


@dataclass(frozen=True)
class Seen:
    """One replica, as it is seen now.

    Args:
        session_id: its name.
        phase: how it is doing.
        running: requests that it works on.
        waits_in_vain: its job waits for something that will never come.
        since_s: monotonic seconds at which it was submitted.
    """

    session_id: str
    phase: OtherPhase
    running: int = 0
    waits_in_vain: bool = False
    since_s: float = 0.0


@dataclass(frozen=True)
class Load:
    """What there is to do.

    Args:
        waiting: requests that no engine works on yet, of all replicas and the gateway.
        running: requests under way, the waiting ones among them or not.
        slots: requests that one replica works on at once; 0 when not known.
    """

    waiting: int
    running: int
    slots: int = 0


@dataclass(frozen=True)
class Decision:
    """What is to be done now.

    Args:
        adds: whether one replica is to be submitted.
        drains: replicas that get no more requests and end.
        note: why nothing is added though it is wanted.
    """

    adds: bool = False
    drains: tuple[str, ...] = ()
    note: str = ""


class Scaler:
    """Decides, and remembers only since when it has wanted something. Times are monotonic seconds.

    Args:
        rules: what the owner asked for.

    Example:
        >>> scaler = Scaler(Scale(max_replicas=2, add_after_s=10))
        >>> [scaler.decide(now_s, Load(waiting=9, running=9), ()).adds for now_s in (0, 9, 10)]
        [False, False, True]
    """

    def __init__(self, rules: Scale) -> None:
        self.rules = rules
        self._pressed_since: float | None = None
        self._slack_since: float | None = None
        self._failures = 0
        self._not_before_s = float("-inf")

    def decide(
        self,
        now_s: float,
        load: Load,
        replicas: Sequence[Seen],
        refusal: str = "",
        *,
        must_stay: bool = False,
    ) -> Decision:
        """What to do now.

        Args:
            now_s: monotonic seconds.
            load: what there is to do.
            replicas: all that haven't ended.
            refusal: why none can be added at all (budget, time); empty when one can.
            must_stay: the last replica isn't taken away for want of load: the session itself can't answer.
        """
        staying = [r for r in replicas if r.phase is not OtherPhase.DRAINING]
        in_vain = tuple(r.session_id for r in staying if r.waits_in_vain)
        if in_vain:
            self.note_failure(now_s)
            return Decision(drains=in_vain, note=_IN_VAIN)
        count = 1 + len(staying)
        self._note_pressure(now_s, load, count)
        surplus = count - (self.rules.max_replicas if self.rules.is_on else 1)
        if surplus > 0:
            return Decision(drains=tuple(r.session_id for r in _dispensable(staying)[:surplus]))
        if count < self._least() or self._is_pressed(now_s, count):
            return self._add(now_s, staying, refusal)
        if count > max(self._least(), 2 if must_stay else 1) and self._is_slack(now_s):
            self._slack_since = now_s
            return Decision(drains=(_dispensable(staying)[0].session_id,))
        return Decision()

    def note_failure(self, now_s: float) -> None:
        """A replica ended soon, or never could begin: the next one waits, longer each time."""
        self._failures += 1
        self._not_before_s = now_s + RETRY_AFTER_S * 2 ** min(self._failures - 1, 5)

    def note_health(self) -> None:
        """A replica has answered for a while: earlier failures no longer count."""
        self._failures = 0

    def _least(self) -> int:
        return self.rules.min_replicas if self.rules.is_on else 1

    def _note_pressure(self, now_s: float, load: Load, count: int) -> None:
        """Follows since when too much waits, and since when one fewer would do."""
        is_pressed = load.waiting > self.rules.target_queue * count
        room = (load.slots or UNKNOWN_SLOTS) // 2
        is_slack = load.waiting == 0 and load.running <= (count - 1) * room
        self._pressed_since = _since(self._pressed_since, now_s) if is_pressed else None
        self._slack_since = _since(self._slack_since, now_s) if is_slack else None

    def _is_pressed(self, now_s: float, count: int) -> bool:
        since_s = self._pressed_since
        return (
            since_s is not None
            and count < self.rules.max_replicas
            and now_s - since_s >= self.rules.add_after_s
        )

    def _is_slack(self, now_s: float) -> bool:
        return self._slack_since is not None and now_s - self._slack_since >= self.rules.drain_after_s

    def _add(self, now_s: float, staying: Sequence[Seen], refusal: str) -> Decision:
        if refusal:
            return Decision(note=refusal)
        if self._failures >= MOST_FAILURES:
            return Decision(note=_GAVE_UP.format(count=self._failures))
        if any(r.phase is OtherPhase.QUEUED for r in staying):
            return Decision(note=_ONE_WAITS)
        if now_s < self._not_before_s:
            return Decision(
                note=f"The last replica failed; the next is tried in {self._not_before_s - now_s:.0f} s."
            )
        self._pressed_since = now_s
        return Decision(adds=True)


_IN_VAIN = "A replica's job would never start, so it was taken back."
_GAVE_UP = "{count} replicas in a row failed, so no more are tried. See their logs, then scale again."
_ONE_WAITS = "One replica waits in Slurm's queue already; another would wait behind it."


def _since(before_s: float | None, now_s: float) -> float:
    return now_s if before_s is None else before_s


def _dispensable(replicas: Sequence[Seen]) -> list[Seen]:
    """The one that is missed least first: those that can't answer yet, then the least busy; newest first."""
    return sorted(replicas, key=lambda r: (r.phase not in _COMING, r.running, -r.since_s))


@dataclass(frozen=True)
class Purse:
    """What may be spent, and what is bound already, in service units.

    Args:
        budget: of all replicas together; None for no limit.
        su_per_h: what one replica costs in an hour; 0 where nothing is charged.
        bound: spent so far, and what those that run or wait will cost until the end of their time.
    """

    budget: float | None
    su_per_h: float
    bound: float

    def afford_s(self, wanted_s: float) -> float:
        """The wall time that another replica may have: what is wanted, or what the budget leaves, in minutes.

        Example:
            >>> Purse(budget=100, su_per_h=100, bound=0).afford_s(7200)
            3540.0
        """
        wanted_s = math.floor(wanted_s / MINUTE_S) * MINUTE_S
        if self.budget is None or not self.su_per_h:
            return wanted_s
        left_s = (self.budget - self.bound) / self.su_per_h * 3600 - MINUTE_S
        return max(0.0, min(wanted_s, math.floor(left_s / MINUTE_S) * MINUTE_S))


def explain_no_room(purse: Purse, wanted_s: float, unit: str) -> str:
    """Why no replica can be added; empty when one can.

    Args:
        purse: what may be spent.
        wanted_s: seconds that the session itself has left for a replica.
        unit: what service units are called.
    """
    if wanted_s < LEAST_S:
        return f"The session ends too soon for another replica (in {max(0.0, wanted_s) / 60:.0f} min)."
    if purse.afford_s(wanted_s) >= LEAST_S:
        return ""
    return (
        f"The budget of {purse.budget:,.4g} {unit} doesn't allow another replica: {purse.bound:,.4g} are "
        f"spent or bound, and one costs {purse.su_per_h:,.4g} an hour for {LEAST_S / 60:.0f} minutes or more."
    )
