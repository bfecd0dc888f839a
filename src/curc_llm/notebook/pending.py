"""PendingSource: a session that is yet to be picked or launched, and may later become another one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from curc_llm.client.secret import Secret
from curc_llm.client.source import Source
from curc_llm.errors import SessionNotReadyError
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord

NOT_CHOSEN = "no session yet"


class PendingSource:
    """Where a notebook's session is known from: nowhere at first, then what a person picks or launches.

    A notebook's `session` keeps this object for good. So a click on "Launch again" gives the same variable a
    new session, and the cells below go on as they are. Threads may share it.

    Args:
        source: what it stands for from the beginning; None until somebody chooses.
        advice: what to do while nothing is chosen, in one sentence.
    """

    def __init__(
        self, source: Source | None = None, advice: str = "Pick or launch one in the widget above."
    ) -> None:
        self._source = source
        self._advice = advice
        self._chosen = threading.Event()
        self._listeners: list[Callable[[], None]] = []
        if source is not None:
            self._chosen.set()

    @property
    def chosen(self) -> Source | None:
        """What it stands for; None while nothing is chosen."""
        return self._source

    def choose(self, source: Source) -> None:
        """From now on it stands for this one; whoever listens is told."""
        self._source = source
        self._chosen.set()
        for tell in list(self._listeners):
            tell()

    def on_choice(self, tell: Callable[[], None]) -> None:
        """Calls `tell` after each choice, in the thread that chooses."""
        self._listeners.append(tell)

    def wait(self, timeout_s: float) -> bool:
        """Waits until something is chosen; False when nothing was in time."""
        return self._chosen.wait(timeout_s)

    def _require(self) -> Source:
        if self._source is None:
            raise SessionNotReadyError("No session is connected yet.", self._advice)
        return self._source

    @property
    def name(self) -> str:
        """The session's name, or that there is none."""
        return self._source.name if self._source is not None else NOT_CHOSEN

    @property
    def paths(self) -> SessionPaths | None:
        """The session's folder; None when it isn't on this file system, or nothing is chosen."""
        return self._source.paths if self._source is not None else None

    @property
    def key_file(self) -> Path | None:
        """The file that holds the key; None when only the key is known, or nothing is chosen."""
        return self._source.key_file if self._source is not None else None

    def base_url(self) -> str:
        """The endpoint.

        Raises:
            SessionNotReadyError: nothing is chosen, or there is no port yet.
            SessionEndedError: the session is over.
        """
        return self._require().base_url()

    def secret(self) -> Secret:
        """The key.

        Raises:
            SessionNotReadyError: nothing is chosen.
            KeyFileError: it can't be read.
        """
        return self._require().secret()

    def record(self) -> SessionRecord:
        """The record as it is now.

        Raises:
            SessionNotReadyError: nothing is chosen.
            SessionNotFoundError: it has none any more.
        """
        return self._require().record()
