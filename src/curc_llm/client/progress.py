"""What a starting session is doing, in one line, for a terminal, a notebook or a log."""

from __future__ import annotations

import sys
import time
from typing import IO, TYPE_CHECKING

from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord
from curc_llm.spec import name_replicas

if TYPE_CHECKING:
    from rich.status import Status

LINE_EVERY_S = 30.0
PHASES = tuple(EnginePhase)  # in the order in which an engine goes through them


def render_duration(seconds: float) -> str:
    """Seconds in words.

    Example:
        >>> render_duration(75), render_duration(7500)
        ('1 min 15 s', '2 h 5 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def render_engines(record: SessionRecord, now: float) -> list[str]:
    """A session's engines, one after the other; replicas by the names that their logs have, `NAME@2`."""
    names = name_replicas(engine.served_model_name for engine in record.engines)
    return [render_engine(engine, now, name) for engine, name in zip(record.engines, names, strict=True)]


def render_engine(engine: EngineRecord, now: float, name: str = "") -> str:
    """One engine's phase, for example `curc-guide: loading 40 % (1.2 of 3.0 GiB), 12 s of about 45 s`."""
    if engine.swap is not None:
        return f"{render_swap(engine)}, {render_duration(now - engine.swap.since)} so far"
    parts = [f"{name or engine.served_model_name}: {engine.phase}"]
    if engine.progress is not None and engine.phase is not EnginePhase.READY:
        parts.append(f"{engine.progress:.0%}".replace("%", " %"))
    if engine.detail:
        parts.append(f"({engine.detail})")
    return " ".join(parts) + _render_clock(engine, now)


def render_swap(engine: EngineRecord) -> str:
    """What an exchange of models is doing; empty when there is none.

    Example:
        >>> from curc_llm.session.record import SwapRecord
        >>> swap = SwapRecord(from_model="one", to_model="two", phase="downloading", detail="1.0 of 2.0 GiB")
        >>> render_swap(EngineRecord(served_model_name="one", model="/m", swap=swap))
        'one, being exchanged for two: downloading, 1.0 of 2.0 GiB, one still answers'
    """
    swap = engine.swap
    if swap is None:
        return ""
    old, new = swap.from_model, swap.to_model
    more = {
        "planned": f"{old} still answers",
        "downloading": f"{old} still answers",
        "stopping": f"{old} ends what it is answering",
        "starting": engine.phase.value,
        "going back": f"{new} could not start, {old} is started again, {engine.phase}",
    }
    steps = [swap.phase, swap.detail, more.get(swap.phase, "")]
    return f"{old}, being exchanged for {new}: {', '.join(filter(None, steps))}"


def _render_clock(engine: EngineRecord, now: float) -> str:
    if engine.phase in {EnginePhase.READY, EnginePhase.FAILED, EnginePhase.STOPPED} or not engine.started_at:
        return ""
    since = render_duration(now - engine.started_at)
    expected = engine.expected_ready_s
    return f", {since} of about {render_duration(expected)}" if expected else f", {since} so far"


def render_progress(record: SessionRecord, now: float) -> str:
    """What the whole session is doing, in one line."""
    if not record.engines:
        return f"{record.session_id}: {record.status}"
    models = dict.fromkeys(engine.served_model_name for engine in record.engines)
    return "; ".join(
        _render_model([e for e in record.engines if e.served_model_name == m], now) for m in models
    )


def _render_model(replicas: list[EngineRecord], now: float) -> str:
    """One model's phase; of several replicas how many are ready, and what the slowest of the others does."""
    waiting = [engine for engine in replicas if engine.phase is not EnginePhase.READY]
    if len(replicas) == 1 or not waiting:
        whole = render_engine(replicas[0], now)
        return whole if len(replicas) == 1 else f"{whole} ({len(replicas)} replicas)"
    slowest = min(waiting, key=lambda engine: (PHASES.index(engine.phase), engine.progress or 0.0))
    ready = len(replicas) - len(waiting)
    return f"{render_engine(slowest, now)}; {ready} of {len(replicas)} replicas ready"


class Progress:
    """Shows a session's start on a stream: a line that changes on a terminal, a few plain lines elsewhere.

    Args:
        stream: where it goes, standard error when not given.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._status: Status | None = None
        self._shown: tuple[str, float] = ("", 0.0)

    def show(self, record: SessionRecord) -> None:
        """Shows the record as it is now."""
        text = render_progress(record, time.time())
        phases = sorted(f"{e.served_model_name} {e.phase}" for e in record.engines)
        self.show_text(text, " ".join(phases) or str(record.status))

    def show_text(self, text: str, key: str) -> None:
        """Shows a line of one's own.

        Args:
            text: the line.
            key: off a terminal a line is written when this changes, else every half minute.
        """
        if self._stream.isatty():
            self._show_live(text)
        else:
            self._show_line(key, text)

    def close(self) -> None:
        """Takes the changing line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _show_live(self, text: str) -> None:
        from rich.console import Console
        from rich.markup import escape

        if self._status is None:
            self._status = Console(file=self._stream).status("")
            self._status.start()
        self._status.update(escape(text))

    def _show_line(self, key: str, text: str) -> None:
        last, when = self._shown
        if key != last or time.monotonic() - when > LINE_EVERY_S:
            self._shown = (key, time.monotonic())
            print(text, file=self._stream, flush=True)
