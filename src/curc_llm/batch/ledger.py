"""Writes down what became of each row: an answer, or why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curc_llm.batch.journal import Journal
from curc_llm.batch.line import Identity, RowError, render_line
from curc_llm.batch.pace import Pace
from curc_llm.batch.progress import Tracker
from curc_llm.batch.row import Request
from curc_llm.batch.trouble import BatchStoppedError
from curc_llm.batch.verdict import Fate, Verdict
from curc_llm.batch.wire import Reply

# When so many rows went wrong in the same way and not one was answered as it should be, no more is spent.
HOPELESS = 20

Check = Callable[[dict[str, Any]], RowError | None]


class Ledger:
    """What became of the rows of one run.

    Args:
        journal: the file of the results.
        tracker: counts.
        pace: is told of each answer.
        check: says why an answer can't be used, None when it can.
        fail: is given the error when going on is pointless.
    """

    def __init__(
        self,
        journal: Journal,
        tracker: Tracker,
        pace: Pace,
        check: Check,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._journal, self._tracker, self._pace = journal, tracker, pace
        self._check, self._fail = check, fail
        self._held: list[tuple[int, bytes, str]] = []
        self._is_hopeless = False
        self._has_success = journal.num_done > 0
        self._misfits = 0

    def settle(self, index: int, request: Request, reply: Reply, verdict: Verdict) -> None:
        """Writes what became of a row."""
        error = None
        if verdict.fate is Fate.DONE:
            error = self._check(verdict.document)
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
            self.release()
        self._journal.append(index, line, failed=error is not None)
        self._pace.note_done()
        tokens = count_tokens(verdict.document)
        if error is None:
            self._tracker.add_done(*tokens)
            return
        self._tracker.add_failed(error.message, *tokens)
        self._misfits += verdict.fate is Fate.DONE
        if self._misfits == HOPELESS and not self._journal.num_done:
            self._give_up(f"None of the first {HOPELESS} answers can be used", error)

    def _hold(self, index: int, line: bytes, error: RowError) -> None:
        """Keeps refusals back until one row was answered: perhaps it is the batch that is at fault."""
        self._held.append((index, line, error.message))
        if len(self._held) < HOPELESS or self._is_hopeless:
            return
        if len({message for _, _, message in self._held}) > 1:  # each row has a trouble of its own
            self._has_success = True
            self.release()
            return
        self._is_hopeless = True
        self._give_up(f"None of the first {HOPELESS} rows was answered", error)

    def _give_up(self, what: str, error: RowError) -> None:
        message = f"{what}, so the batch was stopped: {error.message}"
        self._fail(BatchStoppedError(message, "Mend what it names and run it again.", self._journal.path))

    def release(self) -> None:
        """Writes what was held back."""
        for index, line, message in [] if self._is_hopeless else self._held:
            self._journal.append(index, line, failed=True)
            self._tracker.add_failed(message)
        self._held.clear()


def count_tokens(document: dict[str, Any]) -> tuple[int, int]:
    """Tokens that an answer took: read and written."""
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return 0, 0
    return int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
