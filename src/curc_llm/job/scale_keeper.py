"""Keeps as many replicas as the load asks for: submits, watches, drains, cancels, tells what they cost."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from curc_llm.errors import CurcLlmError
from curc_llm.gateway.channel import Activity, EngineTarget, Scale
from curc_llm.job.board import Board
from curc_llm.job.left_behind import LeftBehind
from curc_llm.job.load_probe import read_engine_waiting
from curc_llm.job.other_jobs import OtherJobs, list_models
from curc_llm.job.other_session import OtherSession, end_all
from curc_llm.job.scaler import HEALTHY_S, Decision, Load, Purse, Scaler, Seen, explain_no_room
from curc_llm.launch.other_spec import make_replica_spec
from curc_llm.session.demand import OtherPhase, ReplicaRecord, ScaleRecord

TICK_S = 1.0
# A replica's end must be seen before the session's own: it is cancelled with it at the latest.
BEFORE_END_S = 60.0
# Requests of a replica that gets no more are waited for so long. A longer one is cut, and told why.
DRAIN_MOST_S = 1800.0
# A replica's own gateway must have said so often that nothing runs: a request may be on its way to it.
QUIET_LOOKS = 2
CLOSE_S = 6.0


class ScaleKeeper:
    """A session's replicas.

    Args:
        jobs: submits them.
        board: where they are shown; each change tells the gateway anew where to route.
        left_s: tells the seconds of wall time that the session has left.
        own_sockets: tells the sockets of the session's own engines that are ready.
    """

    def __init__(
        self,
        jobs: OtherJobs,
        board: Board,
        left_s: Callable[[], float | None],
        own_sockets: Callable[[], list[Path]],
    ) -> None:
        self._jobs = jobs
        self._board = board
        self._left_s = left_s
        self._own_sockets = own_sockets
        self._scaler: Scaler | None = None
        self._replicas: list[OtherSession] = []
        self._draining: dict[str, float] = {}
        self._quiet: dict[str, int] = {}
        self._activity = Activity(0, 0, 0.0)
        self._spent = 0.0
        # Out of the same budget: replicas of the session that this one goes on for, and those of this session
        # before Slurm started it again.
        self._before, self._earlier = LeftBehind(jobs), LeftBehind(jobs)
        self._inherited_budget: float | None = None
        self._note = ""
        self._changed = asyncio.Event()

    def set_rules(self, rules: Scale) -> None:
        """Takes what the owner asked for; it holds from the next tick on.

        A budget stays until another one is given: leaving it out is no leave to spend.
        """
        before = self._scaler.rules.su_budget if self._scaler is not None else None
        budget = self._inherited_budget if before is None else before
        if rules.su_budget is None and budget is not None:
            rules = replace(rules, su_budget=budget)
        self._scaler = Scaler(rules)
        self._changed.set()

    def inherit(self, told: ScaleRecord) -> None:
        """Goes on with the rules, and with the budget, of the session that this one takes over from.

        Called again while that one's replicas finish what they answer, since they cost until they end. Rules
        that the owner has given this session stay; the budget counts for them too if they have none.

        Args:
            told: the other session's, as it is now.
        """
        self._before.take(told)
        self._inherited_budget = told.su_budget
        if self._scaler is not None:
            if self._scaler.rules.su_budget is None and told.su_budget is not None:
                self.set_rules(self._scaler.rules)
        elif told.is_on:
            self.set_rules(_read_rules(told))

    def resume(self, told: ScaleRecord) -> None:
        """Goes on with the rules and the budget of this session's earlier run: Slurm has started it again.

        Args:
            told: what that run said last.
        """
        # What it had inherited is learnt anew, from the session that it goes on for.
        self._earlier.take(told, told.su_inherited or 0.0)
        self.set_rules(_read_rules(told))

    def note_use(self, activity: Activity) -> None:
        """Takes what the gateway says about the models' use."""
        self._activity = activity

    def targets(self) -> list[EngineTarget]:
        """The engines of the replicas that may get requests."""
        ready = [
            r for r in self._replicas if r.phase is OtherPhase.READY and r.session_id not in self._draining
        ]
        served = list_models(self._board.record)
        return [t for replica in ready for t in replica.targets(served)]

    async def run(self) -> None:
        """Works until cancelled; does nothing before the owner asks for replicas."""
        await self._changed.wait()
        while self._scaler is not None:
            await self._tick(self._scaler)
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Ends all replicas, since the session ends."""
        await end_all(self._replicas, self._jobs.slurm, CLOSE_S, self._board.warn)

    async def _tick(self, scaler: Scaler) -> None:
        looks = [asyncio.to_thread(r.look, self._jobs.poll) for r in self._replicas]
        looks += [asyncio.to_thread(left.look) for left in (self._before, self._earlier)]
        await asyncio.gather(*looks)
        self._drop_ended(scaler)
        load = await self._measure()
        now_s = time.monotonic()
        decision = self._decide(scaler, now_s, load)
        self._note = decision.note
        for session_id in decision.drains:
            self._draining.setdefault(session_id, now_s)
        if decision.adds:
            await self._add(scaler)
        self._show(scaler, load)
        await self._end_drained(now_s)

    def _decide(self, scaler: Scaler, now_s: float, load: Load) -> Decision:
        if why := self._find_end():
            return Decision(drains=tuple(r.session_id for r in self._replicas), note=why)
        seen, must_stay = [self._seen(r) for r in self._replicas], not self._own_sockets()
        return scaler.decide(now_s, load, seen, self._refusal(scaler), must_stay=must_stay)

    def _find_end(self) -> str:
        """Why no replica is to go on, whatever the load; empty when they may."""
        record = self._board.record
        if record.successor:
            return f"{record.successor} has taken over, and has replicas of its own."
        if any(engine.swap for engine in record.engines):  # the old model may come back
            return ""
        return self._jobs.find_difference(record)

    async def _measure(self) -> Load:
        own = await asyncio.gather(*(read_engine_waiting(path) for path in self._own_sockets()))
        theirs = sum(r.load.waiting for r in self._replicas if r.phase is OtherPhase.READY)
        slots = max((engine.max_num_seqs for engine in self._board.record.engines), default=0)
        waiting = self._activity.waiting + sum(own) + theirs
        return Load(waiting, self._activity.running, slots)

    def _seen(self, replica: OtherSession) -> Seen:
        phase = OtherPhase.DRAINING if replica.session_id in self._draining else replica.phase
        return Seen(
            replica.session_id, phase, replica.load.running, replica.waits_in_vain, replica.submitted_s
        )

    def _drop_ended(self, scaler: Scaler) -> None:
        """Forgets replicas that are over, but not what they cost; one that ended by itself is told."""
        for replica in [r for r in self._replicas if r.phase is OtherPhase.ENDED]:
            self._replicas.remove(replica)
            self._spent += replica.count_su(time.time())
            self._quiet.pop(replica.session_id, None)
            if self._draining.pop(replica.session_id, None) is None:
                self._tell_lost(replica, scaler)

    def _tell_lost(self, replica: OtherSession, scaler: Scaler) -> None:
        was_healthy = replica.ready_s is not None and time.monotonic() - replica.ready_s > HEALTHY_S
        scaler.note_health() if was_healthy else scaler.note_failure(time.monotonic())
        why = replica.trouble.message if replica.trouble is not None else "It left no word."
        self._board.warn(f"Replica {replica.session_id} (job {replica.job_id}) has ended: {why}")

    def _purse(self, scaler: Scaler) -> Purse:
        bound = self._spent_now() + sum(r.bound_su(self._jobs.su_per_h) for r in self._replicas)
        bound += self._before.bound_su() + self._earlier.bound_su()
        return Purse(scaler.rules.su_budget, self._jobs.su_per_h, bound)

    def _spent_now(self) -> float:
        now = time.time()
        left_behind = self._before.count_su(now) + self._earlier.count_su(now)
        return self._spent + left_behind + sum(r.count_su(now) for r in self._replicas)

    def _wanted_s(self) -> float:
        left_s = self._left_s()
        return (left_s if left_s is not None else 0.0) - BEFORE_END_S

    def _refusal(self, scaler: Scaler) -> str:
        refusal = self._jobs.find_refusal(self._board.record)
        return refusal or explain_no_room(self._purse(scaler), self._wanted_s(), self._jobs.unit)

    async def _add(self, scaler: Scaler) -> None:
        wall_s = self._purse(scaler).afford_s(self._wanted_s())
        spec = make_replica_spec(self._jobs.spec, wall_s)
        try:
            replica = await asyncio.to_thread(self._jobs.submit, spec, self._board.record)
        except CurcLlmError as error:
            scaler.note_failure(time.monotonic())
            self._board.warn(f"A replica could not be submitted: {error.message} {error.remedy}".rstrip())
            return
        self._replicas.append(replica)
        sys.stderr.write(f"Replica {replica.session_id} is submitted as job {replica.job_id}.\n")

    async def _end_drained(self, now_s: float) -> None:
        """Cancels those that get no more requests and have none left, or that had their time for it."""
        over = [r for r in self._replicas if self._is_drained(r, now_s)]
        await end_all(over, self._jobs.slurm, CLOSE_S, self._board.warn)

    def _is_drained(self, replica: OtherSession, now_s: float) -> bool:
        since_s = self._draining.get(replica.session_id)
        if since_s is None:
            return False
        if replica.phase is not OtherPhase.READY or now_s - since_s > DRAIN_MOST_S:
            return True
        quiet = self._quiet.get(replica.session_id, -1) + 1 if replica.load.running == 0 else 0
        self._quiet[replica.session_id] = quiet
        return quiet >= QUIET_LOOKS

    def _show(self, scaler: Scaler, load: Load) -> None:
        rules, charged = scaler.rules, bool(self._jobs.su_per_h)
        bound = self._purse(scaler).bound - self._spent_now()
        inherited = self._before.count_su(time.time()) + self._before.bound_su()
        record = ScaleRecord(
            min_replicas=rules.min_replicas,
            max_replicas=rules.max_replicas,
            target_queue=rules.target_queue,
            su_budget=rules.su_budget,
            su_spent=round(self._spent_now(), 2) if charged else None,
            su_bound=round(bound, 2) if charged else None,
            su_inherited=round(inherited, 2) if charged else None,
            waiting=load.waiting,
            note=self._note,
            add_after_s=rules.add_after_s,
            drain_after_s=rules.drain_after_s,
            is_on=rules.is_on,
            replicas=tuple(map(self._replica_record, self._replicas)),
        )
        if record != self._board.record.scale:
            self._board.update(scale=record)

    def _replica_record(self, replica: OtherSession) -> ReplicaRecord:
        return ReplicaRecord(
            session_id=replica.session_id,
            job_id=replica.job_id,
            phase=self._seen(replica).phase,
            detail=replica.detail,
            host=replica.host,
            running=replica.load.running,
            su=round(replica.count_su(time.time()), 2) if self._jobs.su_per_h else None,
            su_bound=round(replica.bound_su(self._jobs.su_per_h), 2) if self._jobs.su_per_h else None,
        )


def _read_rules(told: ScaleRecord) -> Scale:
    return Scale(**{f.name: getattr(told, f.name) for f in fields(Scale)})
