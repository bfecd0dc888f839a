"""BatchWidget: how a batch is getting on, and a button that stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from curc_llm.batch.progress import Progress, RunState
from curc_llm.chat.durations import render_duration
from curc_llm.notebook.renewed import Renewed

if TYPE_CHECKING:
    from curc_llm.batch.run import Run

HEADLINES = {
    RunState.STARTING: "Starting",
    RunState.ASKING: "Running",
    RunState.WAITING: "Waiting for the session",
    RunState.DONE: "Done",
    RunState.STOPPED: "Stopped",
}
OVER = {RunState.DONE, RunState.STOPPED}
_LEVELS = {RunState.DONE: "ok", RunState.STOPPED: "warning", RunState.WAITING: "warning"}


class BatchWidget(Renewed):
    """Progress, rate, time and cost left, why rows failed, and Cancel.

    Cancel works at once where the kernel hears its widgets while a cell runs (ipykernel 7 with JupyterLab 4.4
    or newer); elsewhere the notebook's own stop button does the same.

    Args:
        run: the batch; it may have begun already.

    Example:
        >>> run = session.map(prompts, wait=False)         # doctest: +SKIP
        >>> BatchWidget(run)                               # doctest: +SKIP
    """

    view = traitlets.Unicode("batch").tag(sync=True)

    def __init__(self, run: Run) -> None:
        self._run = run
        self._progress = run.progress
        self._is_cancelling = False
        super().__init__()
        self.on_action("cancel", self._cancel)
        run.on_progress(self._take)
        self.show(now=True)

    def _take(self, progress: Progress) -> None:
        self._progress = progress
        is_over = progress.state in OVER
        self.show(now=is_over)
        if is_over:
            self.renew_text()

    def _cancel(self, _: Any) -> None:
        self._is_cancelling = True
        self._run.cancel()
        self.show()

    def make_state(self) -> dict[str, Any]:
        """What the page shows."""
        state = make_batch_state(self._progress, str(self._run.path))
        return {**state, "is_cancelling": self._is_cancelling and not state["is_over"]}

    def render_text(self) -> str:
        """The progress as text."""
        return render_batch(self._progress, str(self._run.path))


def make_batch_state(progress: Progress, path: str) -> dict[str, Any]:
    """What the page shows of a batch.

    Args:
        progress: how it is getting on.
        path: the file of the results.
    """
    return {
        "headline": HEADLINES[progress.state],
        "level": _LEVELS.get(progress.state, "busy"),
        "is_over": progress.state in OVER,
        "note": progress.note,
        "done": progress.done,
        "failed": progress.failed,
        "total": progress.total,
        "share": round(progress.fraction, 4),
        "figures": [list(pair) for pair in list_figures(progress)],
        "reasons": [[reason, count] for reason, count in progress.reasons],
        "path": path,
        "warning": _warn(progress),
    }


def _warn(progress: Progress) -> str:
    if not progress.outlives_session or progress.state is not RunState.ASKING:
        return ""
    return (
        "At this rate the session ends before the batch does. What is done is kept: run the same again with "
        "another session to go on."
    )


def list_figures(progress: Progress) -> list[tuple[str, str]]:
    """Names and values, without those that aren't known.

    Example:
        >>> list_figures(Progress(done=3, total=10, rows_per_s=2.0, eta_s=3.5))[:2]
        [('Rows', '3 of 10'), ('Rate', '2.0 rows/s')]
    """
    p = progress
    is_over = p.state in OVER
    cost = f"{p.su_used:,.1f} {p.su_unit}" if p.su_used is not None else ""
    if cost and p.su_eta and not is_over:
        cost += f", about {p.su_eta:,.1f} more"
    pairs = [
        ("Rows", f"{p.settled:,} of {p.total:,}"),
        ("Rate", f"{p.rows_per_s:,.1f} rows/s" if p.rows_per_s else ""),
        ("Tokens", f"{p.tokens_per_s:,.0f} tokens/s" if p.tokens_per_s else ""),
        ("At once", f"{p.running:,}" if p.running and not is_over else ""),
        ("Time left", render_duration(p.eta_s) if p.eta_s is not None and not is_over else ""),
        ("Took", render_duration(p.elapsed_s) if is_over else ""),
        ("Cost", cost),
        ("Failed", f"{p.failed:,}" if p.failed else ""),
        ("From an earlier run", f"{p.resumed:,}" if p.resumed else ""),
    ]
    return [(name, value) for name, value in pairs if value]


def render_batch(progress: Progress, path: str) -> str:
    """The progress as text, for places that can't show widgets."""
    figures = "; ".join(f"{name.lower()} {value}" for name, value in list_figures(progress))
    lines = [
        f"Batch, {HEADLINES[progress.state].lower()}: {figures}",
        *([progress.note] if progress.note else []),
    ]
    return "\n".join([*lines, f"Results: {path}"])


def show_batch(run: Run) -> BatchWidget:
    """Displays a batch's widget in the cell that runs."""
    from IPython.display import display

    widget = BatchWidget(run)
    display(widget)  # type: ignore[no-untyped-call]
    return widget
