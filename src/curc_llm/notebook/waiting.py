"""Waiting: what a cell shows whose question waits for a model that still loads."""

from __future__ import annotations

import time
from typing import Any

from curc_llm.client.progress import render_progress
from curc_llm.session.record import SessionRecord

EVERY_S = 1.0


class Waiting:
    """One line below the cell that changes once a second and goes when the model answers.

    Example:
        >>> Session(source, wait=Waiting())                # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._line: Any = None
        self._shown_at = float("-inf")

    def show(self, record: SessionRecord) -> None:
        """Shows how far the session is."""
        if time.monotonic() - self._shown_at < EVERY_S:
            return
        self._shown_at = time.monotonic()
        self._write(f"Waiting for the model. {render_progress(record, time.time())}")

    def close(self) -> None:
        """Takes the line away."""
        if self._line is not None:
            self._write("")
        self._line, self._shown_at = None, float("-inf")

    def _write(self, text: str) -> None:
        from IPython.display import display

        bundle = {"text/plain": text}
        if self._line is None:
            self._line = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._line.update(bundle, raw=True)
