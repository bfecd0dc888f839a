"""Ending a session, wherever it runs."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from curc_llm.client.source import Source
from curc_llm.errors import SessionNotFoundError
from curc_llm.launch.heirs import list_line
from curc_llm.launch.queued import SlurmSession, load_session

if TYPE_CHECKING:
    from curc_llm.session.record import SessionRecord
    from curc_llm.session.store import FoundSession


def end_session(found: FoundSession) -> SessionRecord | None:
    """Ends a session and waits until nothing of it is left: here by a signal, elsewhere through Slurm.

    Returns:
        The last record, which tells why it ended.

    Raises:
        SlurmError, LaunchError: it can't be ended, or isn't gone in time; the text says what to do.
    """
    from curc_llm.launch import stop_session
    from curc_llm.launch.slurm import stop_slurm
    from curc_llm.slurm.command import Slurm

    if isinstance(found, SlurmSession) and found.record.host != socket.gethostname():
        return stop_slurm(found, Slurm())
    return stop_session(found)


def end_source(source: Source) -> SessionRecord | None:
    """Ends the session that a client speaks to; None when it is over already.

    Raises:
        SessionNotFoundError: it is known by its address alone, so there is nothing here that could end it.
    """
    if source.paths is None:
        name = source.record().session_id
        raise SessionNotFoundError(
            f"Session {name} can't be ended from here: only its address is known.",
            f"Where its files are: curc-llm stop {name}",
        )
    last: SessionRecord | None = None
    for paths in reversed(list_line(source.paths.root)):  # the one that answers now, then those before it
        found = load_session(paths.root)
        if found is None or found.status.is_over:
            paths.remove_secrets()  # a job that was killed with its guard could not do it itself
        else:
            record = end_session(found)
            last = last or record
    return last
