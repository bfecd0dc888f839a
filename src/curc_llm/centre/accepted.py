"""Accepted: the session that an acceptance run looks at, and what was seen of it so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from curc_llm.client.source import root_url
from curc_llm.errors import SessionNotReadyError
from curc_llm.plan.plan import Plan
from curc_llm.session.keys import read_secret_file
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.sites.site import Site


@dataclass
class Accepted:
    """A session under examination.

    Args:
        paths: its files.
        job_id: Slurm's number.
        owner: Unix user.
        site: where.
        plan: what was planned.
        read: the record as it is now; None when there is none.
        job_start_at: Unix time at which Slurm started the job, in whole seconds; None until known.
        seen_at: Unix times at which things were first seen: `address`, `ready`, and each phase.
        phases: phases in the order in which they were seen.
    """

    paths: SessionPaths
    job_id: str
    owner: str
    site: Site
    plan: Plan | None
    read: Callable[[], SessionRecord | None]
    job_start_at: float | None = None
    seen_at: dict[str, float] = field(default_factory=dict)
    phases: list[str] = field(default_factory=list)
    base_url: str = ""

    def record(self) -> SessionRecord:
        """The record.

        Raises:
            SessionNotReadyError: the job hasn't written one.
        """
        record = self.read()
        if record is None:
            raise SessionNotReadyError("the session has no record")
        return record

    def url(self, path: str) -> str:
        """An address of the session's gateway.

        Raises:
            SessionNotReadyError: it has none yet.
        """
        if not self.base_url:
            raise SessionNotReadyError("the session has no address")
        return root_url(self.base_url) + path

    def key_headers(self) -> dict[str, str]:
        """The owner's key, as programs send it."""
        return {"Authorization": f"Bearer {read_secret_file(self.paths.api_key)}"}

    def question(self, *, stream: bool = False) -> dict[str, Any]:
        """A small question to the session's model."""
        engines = self.record().engines
        return {
            "model": engines[0].served_model_name if engines else "",
            "messages": [{"role": "user", "content": "What is a session?"}],
            "max_tokens": 32,
            "temperature": 0,
            "stream": stream,
        }
