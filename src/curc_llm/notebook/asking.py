"""Asks a session in a thread of its own, so that the kernel stays free while the answer comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curc_llm.client.progress import render_progress
from curc_llm.client.source import check_not_over
from curc_llm.errors import ApiError, CurcLlmError, SessionNotReadyError
from curc_llm.notebook.reply import Reply
from curc_llm.notebook.session_end import EndWatch
from curc_llm.session.record import EnginePhase, SessionRecord, SessionStatus

if TYPE_CHECKING:
    from curc_llm.client.session import Session
    from curc_llm.client.stream import Stream

POLL_S = 0.5
END_POLL_S = 1.0
# What a status of its own doesn't tell: then the question itself finds out.
_TRUSTED = {SessionStatus.UNKNOWN}


class Asking:
    """One question under way. Waits while the model loads, then reads its answer into a `Reply`.

    Args:
        session: who is asked.
        reply: where the answer goes.
        messages: the conversation.
        model: served model name; None for the session's first.
        parameters: temperature and the like.
        on_change: called after each piece, in this thread; must be quick.
        on_end: called once, when nothing more will come.
    """

    def __init__(
        self,
        session: Session,
        reply: Reply,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        on_change: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.reply = reply
        self._session = session
        self._messages = list(messages)
        self._model = model
        self._parameters = dict(parameters or {})
        self._on_change, self._on_end = on_change, on_end
        self._stream: Stream | None = None
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._ending = threading.Lock()
        self._ends = False
        self._end_watch = EndWatch(session.status, lambda: time.monotonic() - self._heard_at)
        self._heard_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="curc-llm answer", daemon=True)

    def start(self) -> None:
        """Asks; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it at once, from any thread; what has come stays. The model's work ends, too."""
        self.reply.stop()
        self._leave()

    def _leave(self) -> None:
        self._stopped.set()
        stream = self._stream
        if stream is not None:
            # Closing may wait for what the other thread is reading just now.
            threading.Thread(target=stream.close, name="curc-llm stop", daemon=True).start()
        self._end()

    def _follow_session(self) -> None:
        """Gives up when the session ends, however long its connection stays open and silent."""
        while not self._ended.wait(END_POLL_S):
            if (end := self._end_watch.look()) is not None:
                self.reply.fail(end)
                self._leave()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the end; False when the time was up first."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        try:
            self._ask()
        except CurcLlmError as error:
            self.reply.fail(self._end_watch.explain(error))
        except Exception as error:  # noqa: BLE001 - nobody else would ever tell
            self.reply.fail(explain_unexpected(error))
        finally:
            self._end()

    def _end(self) -> None:
        with self._ending:
            if self._ends:
                return
            self._ends = True
        try:
            self._on_end()
        finally:
            self._ended.set()

    def _ask(self) -> None:
        while not self._stopped.is_set():
            if not self._wait_until_ready():
                return
            try:
                self._read()
            except SessionNotReadyError as error:
                self._show_loading(error.message)  # it was ready a moment ago: its engine starts again
                self._stopped.wait(POLL_S)
            else:
                return

    def _wait_until_ready(self) -> bool:
        """True once the model can answer, False when it was stopped meanwhile."""
        while not self._stopped.is_set():
            record = self._session.status()
            check_not_over(record)
            if can_answer(record, self._model):
                return True
            self._show_loading(render_progress(record, time.time()))
            self._stopped.wait(POLL_S)
        return False

    def _show_loading(self, doing: str) -> None:
        self.reply.load(doing)
        self._on_change()

    def _read(self) -> None:
        self.reply.send()
        self._on_change()
        self._heard_at = time.monotonic()
        threading.Thread(target=self._follow_session, name="curc-llm end", daemon=True).start()
        stream = self._session.stream(self._messages, model=self._model, **self._parameters)
        self._stream = stream
        with stream:
            if self._stopped.is_set():
                return
            for piece in stream.pieces():
                self._heard_at = time.monotonic()
                self.reply.add(piece.kind, piece.text)
                self._on_change()
            self.reply.finish(stream.answer)


def can_answer(record: SessionRecord, model: str | None) -> bool:
    """True when a question may be sent now.

    Args:
        record: the session's.
        model: served model name; None for any that writes text.

    Raises:
        ApiError: the model was given up for good; the text says why.
    """
    engines = [e for e in record.engines if model in {None, *e.names} and e.runner == "generate"]
    if record.status in _TRUSTED or any(engine.phase is EnginePhase.READY for engine in engines):
        return True
    failed = [engine for engine in engines if engine.phase is EnginePhase.FAILED]
    if engines and len(failed) == len(engines):
        trouble = failed[0].trouble
        message = f"The model {failed[0].served_model_name} can't be used any more."
        told = f"{message} {trouble.message}" if trouble else message
        raise ApiError(told, trouble.remedy if trouble else "Start another session.", code="engine_failed")
    # A model that isn't there at all: the session says so better than we could.
    return bool(record.engines) and not engines


def explain_unexpected(error: Exception) -> CurcLlmError:
    """The error to show for one that nobody thought of."""
    said = f"{type(error).__name__}: {str(error)[:300]}"
    return CurcLlmError(f"Something unexpected went wrong ({said}).", "Ask again; if it stays, report it.")
