"""Waiting for a batch before somebody's eyes: the widget in a notebook, a line elsewhere."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from typing import IO, Any

from curc_llm.batch.progress import Progress, RunState
from curc_llm.batch.run import Run
from curc_llm.client.progress import Progress as ProgressLine
from curc_llm.client.progress import render_duration
from curc_llm.errors import MissingPackageError

# "module:function" of what shows a run in a notebook; the batch may not import what stands above it.
_WIDGET = "curc_llm.notebook.batch:show_batch"
WAKE_S = 0.2


def watch(run: Run, *, show: bool = True, stream: IO[str] | None = None) -> None:
    """Starts a batch and waits for its end. An interrupt (Ctrl-C, a notebook's stop button) stops it cleanly.

    Args:
        run: the batch.
        show: show how it is getting on.
        stream: where lines go; standard error when not given.

    Raises:
        CurcLlmError: it stopped before its end; the text says what is kept and how to go on.
    """
    end = _show_nothing
    try:
        if show:
            end = _show(run, stream)
        while not run.wait(WAKE_S):
            pass
    except KeyboardInterrupt:
        run.cancel()
        run.wait()
    finally:
        end()


def _show_nothing() -> None:
    """Nothing was shown."""


def display_run(run: Run) -> None:
    """Shows a run that stands alone in a cell, without waiting for it."""
    if not _show_widget(run):
        print(repr(run))


def _show_widget(run: Run) -> bool:
    """Shows the widget; False where there are none."""
    if is_in_notebook():
        with contextlib.suppress(ImportError, MissingPackageError):
            module, _, function = _WIDGET.partition(":")
            getattr(importlib.import_module(module), function)(run)
            return True
    return False


def _show(run: Run, stream: IO[str] | None) -> Callable[[], None]:
    if stream is None and _show_widget(run):
        return _show_nothing
    line = ProgressLine(stream if stream is not None else sys.stderr)
    run.on_progress(lambda progress: line.show_text(render_line(progress), _key(progress)))
    return line.close


def is_in_notebook() -> bool:
    """Whether this runs in a notebook's kernel."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def _key(progress: Progress) -> str:
    """Changes when a new line is worth it where lines can't be overwritten: at each tenth, and each wait."""
    return f"{progress.state}{int(10 * progress.fraction)}"


def render_line(progress: Progress) -> str:
    """How a batch is getting on, in one line.

    Example:
        >>> render_line(Progress(done=30, total=100, state=RunState.ASKING, rows_per_s=2.0, eta_s=35.0))
        '30 of 100 rows, 2.0 rows/s, about 35 s left'
    """
    parts = [f"{progress.settled:,} of {progress.total:,} rows"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.rows_per_s:
        parts.append(f"{progress.rows_per_s:,.1f} rows/s")
    if progress.tokens_per_s:
        parts.append(f"{progress.tokens_per_s:,.0f} tokens/s")
    parts += _render_rest(progress)
    if progress.su_used is not None:
        parts.append(f"{progress.su_used:,.1f} {progress.su_unit}")
    if progress.state is RunState.WAITING:
        parts.append(f"waiting: {progress.note}")
    return ", ".join(parts)


def _render_rest(progress: Progress) -> list[str]:
    if progress.state in {RunState.DONE, RunState.STOPPED}:
        return [f"took {render_duration(progress.elapsed_s)}"]
    if progress.eta_s is None:
        return []
    rest = f"about {render_duration(progress.eta_s)} left"
    return [f"{rest} (the session ends before)" if progress.outlives_session else rest]


def describe_end(progress: Progress, path: Any) -> list[str]:
    """What to say of a batch that got to its end; nothing when all rows were asked now and all were answered.

    Example:
        >>> describe_end(Progress(done=3, total=3, resumed=3), "out.jsonl")
        ['3 of 3 rows were done earlier, in out.jsonl; resume=False (--restart) asks them anew.']
    """
    said = []
    if progress.resumed:
        said.append(
            f"{progress.resumed:,} of {progress.total:,} rows were done earlier, in {path}; "
            "resume=False (--restart) asks them anew."
        )
    if progress.failed:
        reasons = "; ".join(f"{count:,} times: {reason}" for reason, count in progress.reasons[:2])
        why = f" ({reasons})" if reasons else ""
        said.append(
            f"{progress.failed:,} of {progress.total:,} rows failed{why}. Their reasons are in {path}; "
            "retry_failed=True (--retry-failed) asks them again."
        )
    return said
