"""A session in a job of its own that this one started: submitted, looked at, ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from curc_llm.errors import CurcLlmError
from curc_llm.gateway.channel import EngineTarget
from curc_llm.job.load_probe import GatewayLoad, read_gateway_load
from curc_llm.job.scaler import MINUTE_S
from curc_llm.launch.queued import SlurmSession, load_session
from curc_llm.launch.slurm import launch_slurm
from curc_llm.session.cost import count_su, make_cost
from curc_llm.session.demand import OtherPhase
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, SessionRecord, SessionStatus, Trouble
from curc_llm.sites.site import Runtime
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.spec import LaunchSpec

_PHASES = {
    SessionStatus.QUEUED: OtherPhase.QUEUED,
    SessionStatus.STARTING: OtherPhase.STARTING,
    SessionStatus.RESTARTING: OtherPhase.STARTING,
    SessionStatus.READY: OtherPhase.READY,
    SessionStatus.DRAINING: OtherPhase.DRAINING,
    SessionStatus.UNKNOWN: OtherPhase.UNKNOWN,
}


class OtherSession:
    """One of them, as it was last seen.

    Args:
        spec: what it was submitted with.
        job_id: Slurm's number.
    """

    def __init__(self, spec: LaunchSpec, job_id: str) -> None:
        self.spec = spec
        self.job_id = job_id
        self.paths = SessionPaths(spec.session_dir)
        self.submitted_s = time.monotonic()
        self.ready_s: float | None = None
        self.began_at: float | None = None
        self.phase = OtherPhase.QUEUED
        self.record: SessionRecord | None = None
        self.waits_in_vain = False
        self.load = GatewayLoad()

    @property
    def session_id(self) -> str:
        """Its name."""
        return self.spec.session_id

    @property
    def detail(self) -> str:
        """Why it waits, what its model does, or why it ended."""
        if self.record is None:
            return ""
        if self.record.reason is not None:
            return self.record.reason.message
        engine = next((e for e in self.record.engines if e.phase is not EnginePhase.READY), None)
        if engine is None:
            return ""
        return engine.detail if self.phase is OtherPhase.QUEUED else f"{engine.phase} {engine.detail}".strip()

    @property
    def host(self) -> str:
        """Its node; empty while it waits."""
        return self.record.host if self.record is not None and self.phase is not OtherPhase.QUEUED else ""

    @property
    def base_url(self) -> str | None:
        """Its endpoint; None before it has one."""
        return self.record.base_url if self.record is not None else None

    @property
    def trouble(self) -> Trouble | None:
        """Why it ended, once it has."""
        return self.record.reason if self.record is not None else None

    def targets(self, served: set[tuple[str, str]] | None = None) -> list[EngineTarget]:
        """Its engines, for the gateway: reached through its own gateway, with its own key.

        Args:
            served: names, and which model each is, of which alone; None for all that it has.
        """
        if self.record is None or self.record.base_url is None:
            return []
        url = self.record.base_url.removesuffix("/v1")
        return [
            EngineTarget(
                engine.served_model_name,
                "",
                engine.phase.value,
                id=f"{self.session_id}/{index}",
                url=url,
                key_file=str(self.paths.api_key),
                max_num_seqs=engine.max_num_seqs or _count_slots(self.spec, index),
                adapters=tuple(adapter.name for adapter in engine.adapters),
            )
            for index, engine in enumerate(self.record.engines)
            if served is None or (engine.served_model_name, engine.model) in served
        ]

    def look(self, poll: SlurmPoll) -> None:
        """Takes what its record and Slurm say now; both being silent changes nothing. Blocks a moment."""
        found = load_session(self.paths.root, poll)
        if found is None:
            return
        self.record = found.record
        job = found.job if isinstance(found, SlurmSession) else None
        self.waits_in_vain = job is not None and job.waits_in_vain
        if job is not None and not job.state.is_waiting:
            self.began_at = job.start_at or self.began_at
        phase = OtherPhase.ENDED if found.status.is_over else _PHASES[found.status]
        if phase is OtherPhase.READY and not _answers(found.record):
            phase = OtherPhase.STARTING  # others answer for it; here its own models count
        if phase is not OtherPhase.UNKNOWN or self.phase is OtherPhase.QUEUED:
            self.phase = self.phase if phase is OtherPhase.UNKNOWN else phase
        if phase is OtherPhase.READY:
            self.ready_s = self.ready_s or time.monotonic()
            self.load = read_gateway_load(found.record.base_url or "", self.paths.api_key) or self.load

    def bound_su(self, su_per_h: float) -> float:
        """Service units that it will cost from now on at most: until its end, and for Slurm's delay."""
        if self.phase is OtherPhase.ENDED:
            return 0.0
        ends_at = self.record.ends_at if self.record is not None else None
        began = self.phase is not OtherPhase.QUEUED and ends_at is not None
        left_s = max(0.0, ends_at - time.time()) if began and ends_at else self.spec.wall_time_s or 0.0
        return su_per_h * (left_s + MINUTE_S) / 3600

    def count_su(self, now: float) -> float:
        """Service units that it has cost until Unix time `now`."""
        record = self.record
        if record is not None and (self.began_at is not None or not record.pid):
            # Slurm charges from the start of the job, seconds before there is a record; without one only
            # Slurm knows when it began, if it ever did.
            began_at = self.began_at
            record = record.model_copy(update={"started_at": began_at}) if began_at is not None else None
        cost = make_cost(record, self.spec, "") if record is not None else None
        return count_su(cost, now, record.ended_at) if cost is not None and record is not None else 0.0


def _answers(record: SessionRecord) -> bool:
    return any(engine.phase is EnginePhase.READY for engine in record.engines)


def _count_slots(spec: LaunchSpec, index: int) -> int:
    """Requests that an engine works on at once, over all its copies, by its spec; 0 when that doesn't say."""
    if index >= len(spec.engines):
        return 0
    engine = spec.engines[index]
    return (engine.max_num_seqs or 0) * (engine.data_parallel_size or 1)


def submit(spec: LaunchSpec, runtime: Runtime, slurm: Slurm) -> OtherSession:
    """Submits a session as a job of its own. Blocks until Slurm has taken it.

    Raises:
        CurcLlmError: Slurm refuses it or is silent, or its folder can't be written.
    """
    return OtherSession(spec, launch_slurm(spec, runtime, slurm))


async def end_all(
    others: list[OtherSession], slurm: Slurm, patience_s: float, tell: Callable[[str], None]
) -> None:
    """Cancels jobs; what can't be cancelled in time ends by itself, since it watches this session."""

    async def cancel(other: OtherSession) -> None:
        try:
            await asyncio.to_thread(slurm.cancel, other.job_id)
        except CurcLlmError as error:
            tell(f"Job {other.job_id} can't be cancelled: {error.message}")

    if others:
        await asyncio.wait([asyncio.create_task(cancel(o)) for o in others], timeout=patience_s)


def find_session_dir(spec: LaunchSpec, session_id: str) -> Path:
    """The folder of another session of the same person."""
    return spec.state_dir / "sessions" / session_id
