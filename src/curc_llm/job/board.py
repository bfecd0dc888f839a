"""The board: the one place in the job where the session's state is kept, shown and written down."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curc_llm.session.record import EnginePhase, SessionRecord, SessionStatus, Trouble
from curc_llm.session.store import write_record

HEARTBEAT_S = 10.0
WRITE_EVERY_S = 0.2
MAX_WARNINGS = 20
# Beginnings of warnings of what is to come; once the session is over they say nothing any more.
IDLE_WARNING = "Nobody is using this session: it stops in "
TIME_WARNING = "The session's time ends within "
LAST_CHANCE_WARNING = "No model is left: the session ends at "


class Board:
    """Holds the session record; every change is published at once and written within a fifth of a second.

    A record that can't be written (disk full, folder gone) is told in the job's log and as a warning; the
    session itself goes on, since the people who use it lose nothing by it.

    Args:
        path: where the record is written.
        record: the record to begin with.
        publish: called with each new record (it goes to the gateway, and from there to every page).
    """

    def __init__(self, path: Path, record: SessionRecord, publish: Callable[[SessionRecord], None]) -> None:
        self._path = path
        self._record = record
        self._publish = publish
        self._changed = asyncio.Event()
        self._write_error = ""

    @property
    def record(self) -> SessionRecord:
        """The record as it is now."""
        return self._record

    def update(self, **changes: Any) -> None:
        """Changes fields of the record."""
        record = self._record.model_copy(update=changes)
        if changes.keys() & {"scale", "hand_over"}:  # those in other jobs can answer, or can no more
            record = record.model_copy(update=judge_status(record))
        self._replace(record)

    def update_engine(self, index: int, **changes: Any) -> None:
        """Changes fields of one engine's record; its phase's start and the session's status follow."""
        engines = list(self._record.engines)
        before = engines[index]
        if changes.get("phase", before.phase) != before.phase:
            changes.setdefault("phase_since", time.time())
            changes.setdefault("progress", None)
            changes.setdefault("detail", "")
            if before.phase is EnginePhase.DOWNLOADING and self._record.ready_at is None:
                changes["download_s"] = before.download_s + time.time() - before.phase_since
        after = before.model_copy(update=changes)
        if after == before:
            return
        engines[index] = after
        record = self._record.model_copy(update={"engines": tuple(engines)})
        self._replace(record.model_copy(update=judge_status(record)))

    def warn(self, sentence: str) -> None:
        """Adds a warning for people, unless it is the newest already."""
        if sentence not in self._record.warnings[-1:]:
            self.update(warnings=(*self._record.warnings, sentence)[-MAX_WARNINGS:])

    def unwarn(self, beginning: str) -> None:
        """Takes back warnings that begin so, once they no longer hold."""
        kept = tuple(w for w in self._record.warnings if not w.startswith(beginning))
        if kept != self._record.warnings:
            self.update(warnings=kept)

    def end(self, status: SessionStatus, reason: Trouble) -> None:
        """Notes that the session is over, and why."""
        for beginning in (IDLE_WARNING, TIME_WARNING, LAST_CHANCE_WARNING):
            self.unwarn(beginning)
        self.update(status=status, reason=reason, ended_at=time.time(), idle_stop_at=None, gives_up_at=None)

    def _replace(self, record: SessionRecord) -> None:
        self._record = record
        self._changed.set()
        self._publish(record)

    def write(self) -> None:
        """Writes the record now; a failure is told once, never raised."""
        self._changed.clear()
        self._record = self._record.model_copy(update={"heartbeat_at": time.time()})
        try:
            write_record(self._path, self._record)
        except OSError as error:
            if self._write_error != str(error):
                self._write_error = str(error)
                sys.stderr.write(f"The record {self._path} can't be written: {error}\n")
                self.warn(f"The state folder can't be written ({error.strerror}); session lists go stale.")
                self._changed.clear()

    async def keep_written(self) -> None:
        """Writes the record after each change and as a heartbeat, until cancelled."""
        while True:
            self.write()
            with contextlib.suppress(TimeoutError):
                # Not wait_for: in Python 3.11 it can swallow a cancellation.
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._changed.wait()
            await asyncio.sleep(WRITE_EVERY_S)  # gathers changes that come together into one write


def judge_status(record: SessionRecord) -> dict[str, Any]:
    """How a session is doing, by its engines: ready while requests are served.

    One that was ready stays so while a session in another job answers for it: what of its own is down stands
    in the engine's phase, and in a warning. A first start is over with an engine of one's own alone: before
    that a successor isn't handed the traffic.

    Args:
        record: with engines, replicas and hand-over as they are now.
    """
    if record.status.is_over or record.status is SessionStatus.DRAINING:
        return {}
    phases = {engine.phase for engine in record.engines}
    if EnginePhase.READY in phases:
        return {"status": SessionStatus.READY, "ready_at": record.ready_at or time.time()}
    if record.ready_at is not None and record.answers_elsewhere:
        return {"status": SessionStatus.READY}
    restarting = EnginePhase.RESTARTING in phases or any(engine.restarts for engine in record.engines)
    return {"status": SessionStatus.RESTARTING if restarting else SessionStatus.STARTING}
