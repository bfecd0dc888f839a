"""Asks all rows of a batch: many at once, each until it is settled; waits while the session can't answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from curc_llm.batch.gate import FIRST_WAIT_S, MAX_WAIT_S, Gate
from curc_llm.batch.journal import Journal
from curc_llm.batch.ledger import Check, Ledger
from curc_llm.batch.link import Link
from curc_llm.batch.pace import Pace, parse_load, parse_written
from curc_llm.batch.progress import Tracker
from curc_llm.batch.row import Request
from curc_llm.batch.verdict import Fate, Verdict, judge
from curc_llm.batch.wire import LostError, Reply
from curc_llm.errors import CurcLlmError

# A row that was under way each time the engine died may be what kills it: it is asked alone at the end, and
# given up when the engine dies of it even then.
SUSPECT_AFTER = 3
GIVE_UP_AFTER = 5
TICK_S = 0.1
LOAD_EVERY_S = 1.0
SYNC_EVERY_S = 2.0

Item = tuple[int, Request]


@dataclass(frozen=True)
class AskingParts:
    """What asking needs.

    Args:
        rows: the rows that aren't settled, with their index.
        journal: where answers go.
        link: the way to the session.
        pace: how many at once.
        tracker: what counts.
        check: says why an answer can't be used, None when it can.
        on_tick: called ten times a second.
        model: whose engines' figures the pace follows.
    """

    rows: Iterator[Item]
    journal: Journal
    link: Link
    pace: Pace
    tracker: Tracker
    check: Check
    on_tick: Callable[[], None]
    model: str


class Asking:
    """One run through the rows: until all are settled, `stop` is called, or going on is pointless."""

    def __init__(self, parts: AskingParts) -> None:
        self._parts = parts
        self._rows = parts.rows
        self._suspects: deque[Item] = deque()
        self._attempts: dict[int, int] = {}
        self._refused: set[int] = set()
        self._is_read = False
        self._gate = Gate(parts.link, parts.tracker, self._fail)
        self._ledger = Ledger(parts.journal, parts.tracker, parts.pace, parts.check, self._fail)
        self._workers: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self._trouble: BaseException | None = None

    def stop(self) -> None:
        """Ends it at once: what is under way is given up, which also ends it at the engine."""
        self._stopped.set()

    async def run(self) -> None:
        """Asks all rows.

        Raises:
            CurcLlmError: it can't go on; what was done is kept.
        """
        self._gate.close(0.0, "Looking for the session.")
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(self._every(*job)) for job in self._jobs()]
                await self._supervise()
                for helper in helpers:
                    helper.cancel()
        finally:
            await self._end()
        if self._trouble is not None:
            raise self._trouble

    def _jobs(self) -> list[tuple[float, Callable[[], Any]]]:
        return [
            (TICK_S, self._tick),
            (LOAD_EVERY_S, self._follow_load),
            (SYNC_EVERY_S, self._sync),
        ]

    async def _every(self, seconds: float, job: Callable[[], Any]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await job()
            except CurcLlmError as error:
                self._fail(error)

    async def _tick(self) -> None:
        self._parts.tracker.tick()
        self._parts.on_tick()

    async def _sync(self) -> None:
        await asyncio.to_thread(self._parts.journal.sync)
        if self._gate.is_open:
            self._parts.link.pool.drop_late()

    async def _follow_load(self) -> None:
        pace, tracker = self._parts.pace, self._parts.tracker
        if not self._gate.is_open or not (pace.follows_engine or tracker.is_silent):
            return
        with contextlib.suppress(LostError):
            text = (await self._parts.link.pool.get("/metrics")).body.decode("utf-8", "replace")
            tracker.note_written(parse_written(text, self._parts.model))
            load = parse_load(text, self._parts.model)
            if load is None:
                pace.note_blind()
            else:
                pace.note_load(*load, tracker.running)

    async def _supervise(self) -> None:
        """Keeps as many workers as the pace allows until there is nothing more to do."""
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            while not self._stopped.is_set():
                self._spawn()
                if not self._workers:
                    return
                waiting = {*self._workers, stopped}
                await asyncio.wait(waiting, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()

    def _spawn(self) -> None:
        wanted = self._parts.pace.limit if not self._is_read else 1 if self._suspects else 0
        for _ in range(wanted - len(self._workers)):
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _end(self) -> None:
        for worker in (workers := list(self._workers)):
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await self._gate.end()
        try:
            self._ledger.release()
            await asyncio.to_thread(self._parts.journal.sync)
        except CurcLlmError as error:
            self._trouble = self._trouble or error
        self._parts.link.close()

    def _fail(self, error: BaseException) -> None:
        if self._trouble is None:
            self._trouble = error
        self._stopped.set()

    async def _work(self) -> None:
        try:
            while not self._stopped.is_set() and len(self._workers) <= self._parts.pace.limit:
                if (item := self._next()) is None:
                    return
                self._parts.tracker.running += 1
                try:
                    await self._ask(*item)
                finally:
                    self._parts.tracker.running -= 1
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._fail(error)

    def _next(self) -> Item | None:
        """The next row; suspects one by one, when nothing else is under way."""
        if not self._is_read:
            item = next(self._rows, None)
            if item is not None:
                return item
            self._is_read = True
        return self._suspects.popleft() if self._suspects and not self._parts.tracker.running else None

    async def _ask(self, index: int, request: Request) -> None:
        """Asks one row until it is settled, or is put aside."""
        wait_s = FIRST_WAIT_S
        while True:
            await self._gate.wait()
            try:
                reply = await self._parts.link.pool.post(request.url, request.body)
                verdict = judge(reply)
            except LostError as error:
                reply = Reply(0, {}, b"")
                verdict = Verdict(Fate.BROKEN if error.sent else Fate.AWAY, {}, "connection_lost", str(error))
            if verdict.fate in {Fate.DONE, Fate.FAILED}:
                self._ledger.settle(index, request, reply, verdict)
                return
            if verdict.fate is Fate.BROKEN and self._note_broken(index, request, reply, verdict):
                return
            if verdict.fate is Fate.REFUSED and self._note_refused(index, request, reply, verdict):
                return
            wait_s = await self._wait(verdict, wait_s)

    def _note_broken(self, index: int, request: Request, reply: Reply, verdict: Verdict) -> bool:
        """Counts an attempt that broke off; true when the row isn't asked again now."""
        count = self._attempts[index] = self._attempts.get(index, 0) + 1
        if count >= GIVE_UP_AFTER:
            self._ledger.settle(index, request, reply, verdict)
            return True
        if count == SUSPECT_AFTER:
            self._suspects.append((index, request))
            self._gate.close(verdict.wait_s or MAX_WAIT_S, verdict.message)
            return True
        return False

    def _note_refused(self, index: int, request: Request, reply: Reply, verdict: Verdict) -> bool:
        """A refusal that stays although the session takes the key and has the model is the row's own."""
        is_first = index not in self._refused
        self._refused.add(index)
        if not is_first:
            self._ledger.settle(index, request, reply, verdict)
        return not is_first

    async def _wait(self, verdict: Verdict, wait_s: float) -> float:
        """Waits as an answer asks for; returns how long to wait the next time, should it say nothing."""
        if verdict.fate is Fate.BUSY:
            self._parts.pace.note_refused()
            await asyncio.sleep(verdict.wait_s if verdict.wait_s is not None else wait_s)
        else:
            self._gate.close(verdict.wait_s if verdict.wait_s is not None else wait_s, verdict.message)
        return min(2 * wait_s, MAX_WAIT_S)
