"""What `curc-llm fetch` shows: the model before it is fetched, and a bar, lines or JSON while it is."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from curc_llm.cli.output import Output, render_pairs
from curc_llm.engine.download import DownloadProgress

if TYPE_CHECKING:
    from rich.progress import Progress

    from curc_llm.engine.download import FoundModel
    from curc_llm.launch.fetch_choice import Choice
    from curc_llm.launch.fetch_place import Place

GIB = 2**30
LINE_EVERY_S = 30.0
WORDS = {"downloading": "Fetching", "checking": "Comparing checksums"}


def render_bytes(count: float) -> str:
    """Bytes in GiB, small ones in MiB.

    Example:
        >>> render_bytes(3 * 2**29), render_bytes(5 * 2**20)
        ('1.5 GiB', '5.0 MiB')
    """
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / 2**20:.1f} MiB"


def render_found(choice: Choice, place: Place, found: FoundModel, free_bytes: int) -> str:
    """What would be fetched: size, licence, conditions, and where it goes."""
    model, weights = choice.model, choice.weights
    size = f"{render_bytes(found.total_bytes)} in {found.files} files"
    here = found.total_bytes - found.missing_bytes
    if here:
        size += (
            ", all of it here" if not found.missing_bytes else f", {render_bytes(here)} of it here already"
        )
    gated = "yes, and you have been let in" if found.is_gated else "no"
    pairs = [
        ("Model", f"{model.title} ({weights.format})" if model and weights else found.repo_id),
        ("Hub", f"{found.repo_id} {found.commit[:12]}"),
        ("Size", size),
        ("Licence", found.licence or (model.licence if model else "") or "none is named: look at its page"),
        ("", model.licence_note if model else ""),
        ("Gated", gated),
        ("Goes to", f"{place.shown}"),
        ("", f"{render_bytes(free_bytes)} free"),
    ]
    return render_pairs([(name, value) for name, value in pairs if value])


async def show_progress(steps: AsyncIterator[DownloadProgress], output: Output) -> DownloadProgress:
    """Follows a download to its end and shows how far it is; returns the last step, which has the path."""
    screen = _choose_screen(output)
    try:
        async for step in steps:
            screen.show(step)
    finally:
        screen.close()
    return step


class _Json:
    """One JSON object per line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def show(self, step: DownloadProgress) -> None:
        if step.path is None:
            fields = {"done_gib": step.done_gib, "total_gib": step.total_gib, "files": step.files}
            self._output.data("", {"phase": step.phase, **fields})

    def close(self) -> None:
        """Nothing to take away."""


class _Lines:
    """A line now and then, for a log."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._said: tuple[str, float] = ("", 0.0)

    def show(self, step: DownloadProgress) -> None:
        phase, when = self._said
        if step.path is None and (step.phase != phase or time.monotonic() - when > LINE_EVERY_S):
            self._said = (step.phase, time.monotonic())
            self._output.say(f"{WORDS[step.phase]}: {step.done_gib:.1f} of {step.total_gib:.1f} GiB")

    def close(self) -> None:
        """Nothing to take away."""


class _Bar:
    """A bar with speed and time left; it never shows more than 80 columns."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._phase = ""

    def show(self, step: DownloadProgress) -> None:
        if step.path is not None:
            return
        if step.phase != self._phase:
            self.close()
            self._phase = step.phase
            self._bar = _make_bar()
            self._bar.start()
            done = round(step.done_gib * GIB)
            self._bar.add_task(WORDS[step.phase], total=step.total_gib * GIB, completed=done)
        assert self._bar is not None  # noqa: S101 - made with the first step of a phase
        self._bar.update(self._bar.task_ids[0], completed=step.done_gib * GIB)

    def close(self) -> None:
        """Leaves the bar as it is and ends it."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _choose_screen(output: Output) -> _Json | _Lines | _Bar:
    if output.as_json:
        return _Json(output)
    return _Bar() if sys.stderr.isatty() else _Lines(output)


def _make_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.progress import TransferSpeedColumn as Speed

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        Speed(),
        TimeRemainingColumn(),
        console=Console(stderr=True, width=min(100, Console(stderr=True).width)),
        expand=True,
    )
