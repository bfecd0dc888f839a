"""A batch that runs: in a thread of its own, with an event loop of its own, so that a notebook stays free."""

from __future__ import annotations

import asyncio
import resource
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from curc_llm.batch.asking import Asking, AskingParts, Item
from curc_llm.batch.journal import Journal, open_journal
from curc_llm.batch.ledger import Check
from curc_llm.batch.line import RowError
from curc_llm.batch.link import PATIENCE_S, Link
from curc_llm.batch.pace import Pace
from curc_llm.batch.price import find_price
from curc_llm.batch.progress import Progress, RunState, Tracker
from curc_llm.batch.row import Request
from curc_llm.batch.survey import Survey, follow, make_survey
from curc_llm.batch.trouble import BatchInputError, BatchStoppedError
from curc_llm.client.source import Source
from curc_llm.errors import CurcLlmError

Listener = Callable[[Progress], None]
STOP_S = 30.0


def accept_all(_: dict[str, Any]) -> RowError | None:
    """The check of a batch without a schema."""
    return None


@dataclass(frozen=True)
class RunOptions:
    """How a batch is run.

    Args:
        concurrency: rows under way at once; None to follow the engine.
        timeout_s: seconds until an answer must be whole.
        patience_s: seconds to wait for a session that can't be reached.
        restart: forget earlier results.
        retry_failed: ask rows again that failed in an earlier run.
        private: make the file of the results readable for its owner only.
    """

    concurrency: int | None = None
    timeout_s: float = 3600.0
    patience_s: float = PATIENCE_S
    restart: bool = False
    retry_failed: bool = False
    private: bool = False


def count_room() -> int:
    """Rows that can be under way at once: each needs a connection, and so an open file."""
    return max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


class Run:
    """One batch. Made by `session.map(..., wait=False)`; the rows are checked before it is made.

    Args:
        source: where the session is known from.
        requests: the rows; gone through twice, so not an iterator.
        path: the file of the results.
        options: how to run.
        check: says why an answer can't be used.
        survey: what was found out of the rows, when somebody has looked already.

    Raises:
        BatchInputError: the rows can't be asked.
        BatchFileError: the file of the results can't be used.

    Example:
        >>> run = session.map(prompts, wait=False)          # doctest: +SKIP
        >>> run.progress.done, run.progress.total           # doctest: +SKIP
        >>> answers = run.result()                          # doctest: +SKIP
    """

    def __init__(
        self,
        source: Source,
        requests: Iterable[Request],
        path: Path,
        options: RunOptions | None = None,
        *,
        check: Check = accept_all,
        survey: Survey | None = None,
        make_result: Callable[[Run], Any] | None = None,
    ) -> None:
        self.options = options or RunOptions()
        if self.options.concurrency is not None and self.options.concurrency > count_room():
            raise BatchInputError(
                f"{self.options.concurrency:,} rows at once need more open files than this process may have.",
                f"At most {count_room():,}; `ulimit -n` in the shell before raises that.",
            )
        self._source, self._requests, self._check = source, requests, check
        self._survey = survey or make_survey(requests)
        self._make_result = make_result
        self._listeners: list[Listener] = []
        self.journal: Journal = open_journal(
            path, self._survey, restart=self.options.restart, private=self.options.private
        )
        if self.options.retry_failed:
            self.journal.reopen_failed()
        self._tracker = self._make_tracker()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking: Asking | None = None
        self._is_begun = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._cancelled = False
        self.error: BaseException | None = None

    def __repr__(self) -> str:
        progress = self.progress
        return (
            f"<curc_llm.batch.Run {progress.state}: {progress.settled:,} of {progress.total:,} rows, "
            f"{progress.failed:,} failed>"
        )

    def _ipython_display_(self) -> None:
        """As the last line of a cell: the widget; in a terminal the same line as `repr`."""
        import importlib  # by name: it stands above this module

        importlib.import_module("curc_llm.batch.watching").display_run(self)

    def _make_tracker(self) -> Tracker:
        price = find_price(self._source)
        return Tracker(
            self._survey.total,
            self.journal.num_done,
            self.journal.num_failed,
            su_per_h=price.su_per_h,
            su_unit=price.unit,
        )

    @property
    def path(self) -> Path:
        """The file of the results."""
        return self.journal.path

    @property
    def survey(self) -> Survey:
        """What is known of the rows."""
        return self._survey

    @property
    def progress(self) -> Progress:
        """How it is getting on."""
        return self._tracker.progress

    @property
    def is_over(self) -> bool:
        """Whether it has ended, however."""
        return self._over.is_set()

    def on_progress(self, listener: Listener) -> None:
        """Calls `listener` with the progress, at most ten times a second, and once more at the end.

        It is called in the batch's own thread, and has to return soon.
        """
        self._listeners.append(listener)

    def start(self) -> Self:
        """Begins, and returns at once."""
        # An interrupt can hit between any two steps here; called again then, it must begin, and only once.
        # So it is the thread itself that notes the beginning.
        if not self._is_begun:
            threading.Thread(target=self._run, name="curc-llm-batch", daemon=True).start()
        return self

    def cancel(self) -> None:
        """Stops at once and returns; what is done is kept, what is under way is ended at the engine too."""
        with self._lock:
            self._cancelled = True
            if self._loop is not None and self._asking is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._asking.stop)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until it is over, and begins it if nobody has; whether it is over.

        Raises:
            CurcLlmError: it stopped before its end; the text says what is kept and how to go on.
        """
        self.start()
        if not self._over.wait(timeout_s):
            return False
        if self.error is not None:
            raise self.error
        return True

    def result(self) -> Any:
        """Waits, and returns the answers in the rows' order, as `session.map` does."""
        self.wait()
        return self._make_result(self) if self._make_result is not None else self.path

    def close(self) -> None:
        """Stops it if it still runs, and closes the file of the results."""
        self.cancel()
        if self._claim():
            self.error = self.explain_interrupt()
            self._over.set()
        self._over.wait(STOP_S)
        self.journal.close()

    def explain_interrupt(self) -> BatchStoppedError:
        """What to tell whoever stopped it: how much is kept, where, and how to go on."""
        return self._explain_stop("The batch was stopped", "", interrupted=True)

    def _claim(self) -> bool:
        """Whether the caller is the one and only who runs it, or forbids that."""
        with self._lock:
            is_first, self._is_begun = not self._is_begun, True
        return is_first

    def _run(self) -> None:
        if not self._claim():
            return
        try:
            asyncio.run(self._ask_all())
            if self._is_settled:
                self.journal.put_in_order()
        except BaseException as error:  # noqa: BLE001 - raised again by `wait`
            self.error = self._explain(error)
        if self.error is None and not self._is_settled:
            self.error = self.explain_interrupt()
        state = RunState.DONE if self.error is None else RunState.STOPPED
        self._tracker.set_state(state, "" if self.error is None else str(self.error))
        self.journal.unlock()
        try:
            self._tell()  # before anybody goes on: a cell that ends now keeps the text of the end
        finally:
            self._over.set()

    async def _ask_all(self) -> None:
        link = Link(
            self._source,
            frozenset(self._survey.models),
            self.options.timeout_s,
            patience_s=self.options.patience_s,
        )
        parts = AskingParts(
            rows=self._open_rows(),
            journal=self.journal,
            link=link,
            pace=Pace(self.options.concurrency, most=count_room()),
            tracker=self._tracker,
            check=self._check,
            on_tick=self._tell,
            model=next(iter(self._survey.models)),
        )
        with self._lock:
            self._loop, self._asking = asyncio.get_running_loop(), Asking(parts)
            if self._cancelled:
                return
        if not self._is_settled:
            await self._asking.run()

    @property
    def _is_settled(self) -> bool:
        return self._tracker.done + self._tracker.failed == self._survey.total

    def _open_rows(self) -> Iterator[Item]:
        for index, request in follow(self._requests, self._survey):
            if not self.journal.is_settled(index):
                yield index, request

    def _tell(self) -> None:
        progress = self.progress
        for listener in list(self._listeners):
            try:
                listener(progress)
            except Exception:  # noqa: BLE001 - whoever watches must not end the batch
                self._listeners.remove(listener)

    def _explain(self, error: BaseException) -> BaseException:
        if isinstance(error, BatchStoppedError) or not isinstance(error, CurcLlmError):
            return error
        return self._explain_stop(error.message, error.remedy)

    def _explain_stop(self, what: str, remedy: str, *, interrupted: bool = False) -> BatchStoppedError:
        progress = self.progress
        kept = f"{progress.settled:,} of {progress.total:,} rows are done and kept in {self.path}."
        go_on = "Run the same again to go on where it stopped."
        return BatchStoppedError(
            f"{what.rstrip('.')}. {kept}", f"{remedy} {go_on}".strip(), self.path, interrupted=interrupted
        )
