"""Who answers for a session now, with Slurm asked where a record is silent: its job may have been killed."""

from __future__ import annotations

from pathlib import Path

from curc_llm.launch.queued import load_session
from curc_llm.session import succession
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import FoundSession
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll


def list_line(root: Path, poll: SlurmPoll | None = None) -> list[SessionPaths]:
    """A session and all that have taken over from it, in order; see `session.succession`.

    Args:
        root: the session's folder.
        poll: where Slurm's answers come from; a new one when not given.
    """
    asked = poll or SlurmPoll(Slurm())

    def read(folder: Path) -> SessionRecord | None:
        found = load_session(folder, asked)
        return found.record if found is not None else None

    return succession.list_line(root, read)


def find_heir(root: Path, poll: SlurmPoll | None = None) -> SessionPaths:
    """The session that answers for the one in this folder now: itself, or its last successor."""
    return list_line(root, poll)[-1]


def follow_session(found: FoundSession, poll: SlurmPoll | None = None) -> FoundSession:
    """The session that answers for this one now: itself, or the last one that it was handed over to."""
    asked = poll or SlurmPoll(Slurm())
    heir = find_heir(found.paths.root, asked)
    return found if heir == found.paths else load_session(heir.root, asked) or found
