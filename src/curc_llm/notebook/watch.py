"""Watch: one thread asks how a session is, however many widgets look."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from curc_llm.client.source import Source
from curc_llm.errors import CurcLlmError
from curc_llm.launch.heirs import find_heir
from curc_llm.launch.queued import SlurmSession, load_session
from curc_llm.launch.slurm_position import Position, ask_position
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import FoundSession
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.job import Job
from curc_llm.slurm.poll import MIN_GAP_S, SlurmPoll

POLL_S = 1.0
# A session that can't be reached is asked less and less often.
MOST_POLL_S = 10.0


@dataclass(frozen=True)
class Look:
    """How a session was at one moment.

    Args:
        record: the latest record; None before the first came.
        trouble: why it can't be told how the session is; None while it can.
        job: what Slurm said of it last; None when it wasn't asked.
        position: its place in the queue, where Slurm tells.
        metrics: what `sample` returned; None when nobody wants it or the session gave none.
        at: Unix time in seconds.
    """

    record: SessionRecord | None = None
    trouble: CurcLlmError | None = None
    job: Job | None = None
    position: Position | None = None
    metrics: Any = None
    at: float = 0.0

    @property
    def is_over(self) -> bool:
        """True when there is nothing more to look at."""
        return self.record is not None and self.record.status.is_over


Listener = Callable[[Look], None]


@dataclass(eq=False)
class Watch:
    """Looks at one session once a second, as long as somebody listens and the session isn't over.

    Args:
        source: the session.
        sample: asked for the session's metrics when a listener wants them.
        poll_s: seconds between two looks.
    """

    source: Source
    sample: Callable[[], Any] | None = None
    poll_s: float = POLL_S
    slurm: Slurm = field(default_factory=Slurm, repr=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[Listener, bool] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._poll = SlurmPoll(self.slurm)
        self._position: tuple[float, Position | None] = (-MIN_GAP_S, None)
        self.latest = Look()

    def listen(self, listener: Listener, *, wants_metrics: bool = False) -> None:
        """Tells a listener of every look from now on, from the watch's thread.

        Args:
            listener: called with each look; it must return soon.
            wants_metrics: whether looks hold metrics too.
        """
        with self._lock:
            self._listeners[listener] = wants_metrics
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(target=self._run, name="curc-llm-watch", daemon=True)
                _RUNNING.add(self)
                self._thread.start()

    def leave(self, listener: Listener) -> None:
        """Stops telling a listener; with the last one the thread ends."""
        with self._lock:
            self._listeners.pop(listener, None)
            if not self._listeners:
                self._wake.set()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Ends the thread, whoever listens."""
        with self._lock:
            self._listeners.clear()
            self._wake.set()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None

    def _run(self) -> None:
        pause_s = self.poll_s
        while True:
            look = self.look()
            for listener in self._audience():
                with contextlib.suppress(Exception):  # a closed widget must not blind the others
                    listener(look)
            pause_s = self.poll_s if look.trouble is None else min(MOST_POLL_S, pause_s * 1.5)
            if look.is_over or self._wake.wait(pause_s):
                # Somebody may have come while the last one left.
                with self._lock:
                    if look.is_over or not self._listeners:
                        self._thread = None
                        _RUNNING.discard(self)
                        return
                    self._wake.clear()

    def _audience(self) -> list[Listener]:
        with self._lock:
            return list(self._listeners)

    def look(self) -> Look:
        """Asks how the session is now; keeps the last record when it can't be told."""
        try:
            found = self._find()
        except CurcLlmError as error:
            self.latest = Look(self.latest.record, error, self.latest.job, at=time.time())
            return self.latest
        job = found.job if isinstance(found, SlurmSession) else None
        record = found if isinstance(found, SessionRecord) else found.record
        self.latest = Look(record, None, job, self._place(job), self._measure(record), time.time())
        return self.latest

    def _find(self) -> FoundSession | SessionRecord:
        paths = self.source.paths
        found = (
            load_session(find_heir(paths.root, self._poll).root, self._poll) if paths is not None else None
        )
        return found or self.source.record()

    def _place(self, job: Job | None) -> Position | None:
        if job is None or not job.state.is_waiting:
            return None
        asked_at, position = self._position
        if time.monotonic() - asked_at >= MIN_GAP_S:
            position = ask_position(self.slurm, job.job_id, job.partition)
            self._position = (time.monotonic(), position)
        return position

    def _measure(self, record: SessionRecord) -> Any:
        with self._lock:
            is_wanted = any(self._listeners.values())
        if self.sample is None or not is_wanted or record.base_url is None or record.status.is_over:
            return None
        try:
            return self.sample()
        except (CurcLlmError, OSError):
            return None


_RUNNING: set[Watch] = set()
_WATCHES: dict[str, Watch] = {}
_WATCHES_LOCK = threading.Lock()


def find_watch(source: Source, sample: Callable[[], Any] | None = None) -> Watch:
    """The watch of a session: the same one for all who ask.

    Args:
        source: the session.
        sample: see `Watch`; taken over when the watch has none yet.
    """
    key = str(source.paths.root) if source.paths is not None else source.name
    with _WATCHES_LOCK:
        watch = _WATCHES.setdefault(key, Watch(source, sample))
        watch.sample = watch.sample or sample
        return watch


@atexit.register
def stop_watches() -> None:
    """Ends all watches: no thread is left when the kernel shuts down."""
    for watch in list(_RUNNING):
        watch.stop()
