"""Asks all rows of a batch: many at once, each until it is settled; waits while the session can't answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from curc_llm.batch.journal import Journal
from curc_llm.batch.line import Identity, RowError, render_line
from curc_llm.batch.link import Link
from curc_llm.batch.pace import Pace, parse_load
from curc_llm.batch.progress import RunState, Tracker
from curc_llm.batch.row import Request
from curc_llm.batch.trouble import BatchStoppedError
from curc_llm.batch.verdict import Fate, Verdict, judge
from curc_llm.batch.wire import LostError, Reply
from curc_llm.errors import CurcLlmError

# A row that was under way each time the engine died may be what kills it: it is asked alone at the end, and
# given up when the engine dies of it even then.
SUSPECT_AFTER = 3
GIVE_UP_AFTER = 5
# When so many rows were refused and not one was answered, nothing more is spent.
HOPELESS = 20
TICK_S = 0.1
LOAD_EVERY_S = 1.0
SYNC_EVERY_S = 2.0
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 15.0

Check = Callable[[dict[str, Any]], RowError | None]
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
        self._held: list[tuple[int, bytes, str]] = []
        self._is_hopeless = False
        self._has_success = parts.journal.num_done > 0
        self._is_read = False
        self._open = asyncio.Event()
        self._open.set()
        self._recovery: asyncio.Task[None] | None = None
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
        self._close(0.0, "Looking for the session.")
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
        if self._open.is_set():
            self._parts.link.pool.drop_late()

    async def _follow_load(self) -> None:
        pace = self._parts.pace
        if not pace.follows_engine or not self._open.is_set():
            return
        with contextlib.suppress(LostError):
            reply = await self._parts.link.pool.get("/metrics")
            load = parse_load(reply.body.decode("utf-8", "replace"), self._parts.model)
            if load is None:
                pace.note_blind()
            else:
                pace.note_load(*load, self._parts.tracker.running)

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
        tasks = [*self._workers, *([self._recovery] if self._recovery else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            self._release_held()
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
            await self._open.wait()
            try:
                reply = await self._parts.link.pool.post(request.url, request.body)
                verdict = judge(reply)
            except LostError as error:
                reply = Reply(0, {}, b"")
                verdict = Verdict(Fate.BROKEN if error.sent else Fate.AWAY, {}, "connection_lost", str(error))
            if verdict.fate in {Fate.DONE, Fate.FAILED}:
                self._settle(index, request, reply, verdict)
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
            self._settle(index, request, reply, verdict)
            return True
        if count == SUSPECT_AFTER:
            self._suspects.append((index, request))
            self._close(verdict.wait_s or MAX_WAIT_S, verdict.message)
            return True
        return False

    def _note_refused(self, index: int, request: Request, reply: Reply, verdict: Verdict) -> bool:
        """A refusal that stays although the session takes the key and has the model is the row's own."""
        is_first = index not in self._refused
        self._refused.add(index)
        if not is_first:
            self._settle(index, request, reply, verdict)
        return not is_first

    async def _wait(self, verdict: Verdict, wait_s: float) -> float:
        """Waits as an answer asks for; returns how long to wait the next time, should it say nothing."""
        if verdict.fate is Fate.BUSY:
            self._parts.pace.note_refused()
            await asyncio.sleep(verdict.wait_s if verdict.wait_s is not None else wait_s)
        else:
            self._close(verdict.wait_s if verdict.wait_s is not None else wait_s, verdict.message)
        return min(2 * wait_s, MAX_WAIT_S)

    def _close(self, wait_s: float, why: str) -> None:
        """Nobody asks until the session can answer again; one looks after it."""
        if self._recovery is None or self._recovery.done():
            self._open.clear()
            self._recovery = asyncio.create_task(self._recover(wait_s, why))

    async def _recover(self, wait_s: float, why: str) -> None:
        tracker = self._parts.tracker
        if wait_s:
            tracker.set_state(RunState.WAITING, why)
        try:
            pause_s = FIRST_WAIT_S
            await asyncio.sleep(wait_s)
            while said := await self._parts.link.look():
                tracker.set_state(RunState.WAITING, said)
                await asyncio.sleep(pause_s)
                pause_s = min(1.5 * pause_s, MAX_WAIT_S)
        except Exception as error:  # noqa: BLE001 - raised again by `run`
            self._fail(error)
            return
        await self._parts.link.load_end()
        tracker.ends_at = self._parts.link.ends_at
        tracker.set_state(RunState.ASKING)
        self._open.set()

    def _settle(self, index: int, request: Request, reply: Reply, verdict: Verdict) -> None:
        """Writes what became of a row."""
        error = None
        if verdict.fate is Fate.DONE:
            error = self._parts.check(verdict.document)
        else:
            error = RowError(verdict.code, verdict.message)
        line = render_line(
            Identity(index, request.digest),
            request.custom_id,
            status=reply.status or None,
            request_id=reply.headers.get("x-request-id", ""),
            body=reply.body,
            error=error,
        )
        if verdict.fate is not Fate.DONE and not self._has_success:
            assert error is not None  # noqa: S101 - it failed
            self._hold(index, line, error)
            return
        self._write(index, line, error, verdict)

    def _write(self, index: int, line: bytes, error: RowError | None, verdict: Verdict) -> None:
        if verdict.fate is Fate.DONE and not self._has_success:
            self._has_success = True
            self._release_held()
        self._parts.journal.append(index, line, failed=error is not None)
        self._parts.pace.note_done()
        if error is not None:
            self._parts.tracker.add_failed(error.message)
        else:
            self._parts.tracker.add_done(*count_tokens(verdict.document))

    def _hold(self, index: int, line: bytes, error: RowError) -> None:
        """Keeps refusals back until one row was answered: perhaps it is the batch that is at fault."""
        self._held.append((index, line, error.message))
        if len(self._held) < HOPELESS:
            return
        reason, path = error.message, self._parts.journal.path
        self._is_hopeless = True
        self._fail(
            BatchStoppedError(
                f"None of the first {HOPELESS} rows was answered, so the batch was stopped: {reason}",
                "Mend what it names and run it again.",
                path,
            )
        )

    def _release_held(self) -> None:
        for index, line, message in [] if self._is_hopeless else self._held:
            self._parts.journal.append(index, line, failed=True)
            self._parts.tracker.add_failed(message)
        self._held.clear()


def count_tokens(document: dict[str, Any]) -> tuple[int, int]:
    """Tokens that an answer took: read and written."""
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return 0, 0
    return int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
