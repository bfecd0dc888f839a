"""Whether a session ends while it is asked: its record knows sooner, and says it better, than the connection.

An engine that is being stopped may be silent for half a minute, and a connection that breaks doesn't say why.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from curc_llm.client.source import check_not_over
from curc_llm.errors import CurcLlmError, SessionEndedError
from curc_llm.session.record import SessionRecord, SessionStatus

# A session gives what runs 5 s when its owner stops it, more at the end of its time: answers go on till then.
SILENCE_S = 2.0
STOPPED_S = 5.0
# The connection may break a moment before the record says why.
LATE_S = 1.0
LOOK_S = 0.1


class EndWatch:
    """Tells when an answer isn't worth waiting for any more, by looks at the session's record.

    Args:
        read: gives the record.
        silent_s: tells for how many seconds nothing has come.

    Example:
        >>> from types import SimpleNamespace
        >>> EndWatch(lambda: SimpleNamespace(status=SessionStatus.READY), lambda: 9.0).look() is None
        True
    """

    def __init__(self, read: Callable[[], SessionRecord], silent_s: Callable[[], float]) -> None:
        self._read, self._silent_s = read, silent_s
        self._ending_at: float | None = None

    def look(self) -> CurcLlmError | None:
        """The end to tell now; None while the answer may go on."""
        try:
            record = self._read()
        except CurcLlmError:
            return None  # the connection itself tells
        end = explain_end(record)
        if end is None or record.status.is_over:
            return end
        now = time.monotonic()
        self._ending_at = now if self._ending_at is None else self._ending_at
        ending_s = now - self._ending_at
        is_stopped = record.reason is not None and record.reason.code == "stopped"
        is_late = ending_s > SILENCE_S and self._silent_s() > SILENCE_S
        return end if is_late or (is_stopped and ending_s > STOPPED_S) else None

    def explain(self, error: CurcLlmError) -> CurcLlmError:
        """The error to tell for one that an answer ended with: the session's end, when that is why."""
        deadline = time.monotonic() + LATE_S
        while not isinstance(error, SessionEndedError):
            try:
                end = explain_end(self._read())
            except CurcLlmError:
                return error
            if end is not None:
                return end
            if getattr(error, "status", None) or getattr(error, "code", "") or time.monotonic() > deadline:
                break
            time.sleep(LOOK_S)
        return error


def explain_end(record: SessionRecord) -> SessionEndedError | None:
    """That a session has ended or is about to, and why; None while it goes on."""
    if record.status is SessionStatus.DRAINING and record.reason is not None:
        remedy = record.reason.remedy or "Launch it again on its card, or with curc_llm.connect()."
        return SessionEndedError(f"Session {record.session_id} has ended: {record.reason.message}", remedy)
    try:
        check_not_over(record)
    except SessionEndedError as end:
        return end
    return None
