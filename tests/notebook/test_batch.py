"""BatchWidget: what is shown of a batch, and Cancel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.batch.progress import Progress, RunState
from curc_llm.notebook.batch import BatchWidget, list_figures, make_batch_state, render_batch, show_batch


class FakeRun:
    """A batch that does what a test says."""

    def __init__(self) -> None:
        self.path = Path("/results.jsonl")
        self.progress = Progress(total=10)
        self.cancelled = False
        self.listeners: list[Callable[[Progress], None]] = []

    def on_progress(self, listener: Callable[[Progress], None]) -> None:
        self.listeners.append(listener)

    def cancel(self) -> None:
        self.cancelled = True

    def tell(self, **changes: Any) -> None:
        self.progress = Progress(total=10, **changes)
        for listener in self.listeners:
            listener(self.progress)


def test_rows_rate_time_and_cost_are_told() -> None:
    progress = Progress(
        done=1200,
        failed=3,
        total=5000,
        running=64,
        state=RunState.ASKING,
        rows_per_s=12.34,
        tokens_per_s=2345.6,
        eta_s=320,
        su_used=1.5,
        su_eta=8.25,
        resumed=100,
    )
    assert list_figures(progress) == [
        ("Rows", "1,203 of 5,000"),
        ("Rate", "12.3 rows/s"),
        ("Tokens", "2,346 tokens/s"),
        ("At once", "64"),
        ("Time left", "5 min 20 s"),
        ("Cost", "1.5 SU, about 8.2 more"),
        ("Failed", "3"),
        ("From an earlier run", "100"),
    ]


def test_at_the_end_it_tells_how_long_it_took() -> None:
    figures = dict(list_figures(Progress(done=10, total=10, state=RunState.DONE, elapsed_s=75)))
    assert figures["Took"] == "1 min 15 s"
    assert "Time left" not in figures


def test_a_session_that_ends_before_the_batch_is_warned_of() -> None:
    late = Progress(total=10, state=RunState.ASKING, eta_s=100, session_left_s=50)
    assert "the session ends before the batch" in make_batch_state(late, "/r")["warning"]
    assert (
        make_batch_state(Progress(state=RunState.ASKING, eta_s=10, session_left_s=50), "/r")["warning"] == ""
    )


def test_why_rows_failed_is_a_table() -> None:
    progress = Progress(total=3, failed=2, reasons=(("The context is too short.", 2),))
    assert make_batch_state(progress, "/r")["reasons"] == [["The context is too short.", 2]]


def test_as_text_it_says_the_same() -> None:
    progress = Progress(done=5, total=10, state=RunState.STOPPED, note="You stopped it.", elapsed_s=3)
    assert render_batch(progress, "/r.jsonl").splitlines() == [
        "Batch, stopped: rows 5 of 10; took 3 s",
        "You stopped it.",
        "Results: /r.jsonl",
    ]


def test_the_widget_follows_the_run_to_its_end() -> None:
    run = FakeRun()
    widget = BatchWidget(run)  # type: ignore[arg-type]
    assert widget.state["headline"] == "Starting"
    run.tell(done=4, state=RunState.ASKING)
    run.tell(done=10, state=RunState.DONE)
    assert (widget.state["headline"], widget.state["share"], widget.state["is_over"]) == ("Done", 1.0, True)
    json.dumps(widget.state)
    widget.close()


def test_cancel_reaches_the_run() -> None:
    run = FakeRun()
    widget = BatchWidget(run)  # type: ignore[arg-type]
    widget._act("cancel", None)
    assert run.cancelled
    assert widget.make_state()["is_cancelling"]
    run.tell(done=4, state=RunState.STOPPED, note="The batch was stopped.")
    assert not widget.state["is_cancelling"]
    widget.close()


def test_it_is_displayed_in_the_cell_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    widget = show_batch(FakeRun())  # type: ignore[arg-type]
    assert shown == [widget]
    widget.close()
