"""What a session's record says of the jobs that it started itself: its replicas, and its successor."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    # Readers may be older than the job that wrote the record: unknown fields are ignored, not refused.
    model_config = ConfigDict(frozen=True, extra="ignore")


class OtherPhase(StrEnum):
    """How a session in another job is doing, as the one that started it sees it."""

    QUEUED = "queued"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> OtherPhase | None:
        """A word of a newer job can't be told."""
        return cls.UNKNOWN if isinstance(value, str) else None


class ReplicaRecord(_Frozen):
    """One replica: a session in a job of its own that serves the same models.

    Args:
        session_id: its name; its folder is beside the session's.
        job_id: Slurm's number.
        phase: how it is doing.
        detail: why it waits, or what its model is doing.
        host: its node; empty while it waits.
        running: requests that it works on.
        su: service units spent so far; None where nothing is charged.
        su_bound: what it will cost at most from now on; None where nothing is charged.
    """

    session_id: str
    job_id: str
    phase: OtherPhase
    detail: str = ""
    host: str = ""
    running: int = 0
    su: float | None = None
    su_bound: float | None = None


class ScaleRecord(_Frozen):
    """How many replicas a session may have, and has.

    Args:
        min_replicas, max_replicas: how many serve the models, the session itself counted.
        target_queue: waiting requests for each replica that are put up with.
        su_budget: service units that all replicas together may cost; None for no limit.
        su_spent: what they have cost so far, those that ended too, and those of the sessions that this one
            goes on for; None where nothing is charged.
        su_bound: what those that run will cost at most from now on.
        su_inherited: what of both is due to the session that this one goes on for.
        waiting: requests that wait for an engine now.
        note: why nothing is added though requests wait; empty otherwise.
        add_after_s, drain_after_s: seconds after which one is added, and taken away.
        is_on: False once it was switched off; replicas that still drain are shown.
        replicas: those that wait, run or drain.
    """

    min_replicas: int
    max_replicas: int
    target_queue: int
    su_budget: float | None = None
    su_spent: float | None = None
    su_bound: float | None = None
    su_inherited: float | None = None
    waiting: int = 0
    note: str = ""
    add_after_s: float = 15.0
    drain_after_s: float = 300.0
    is_on: bool = True
    replicas: tuple[ReplicaRecord, ...] = ()


class HandOverRecord(_Frozen):
    """How the hand-over to another job gets on.

    Args:
        session_id: the successor's name; empty while none was submitted.
        job_id: its Slurm job.
        phase: how it is doing.
        detail: why it waits, or what its model is doing.
        submit_at: Unix time at which it is to be submitted.
        is_done: True once it answers for this session.
        base_url: its endpoint, once it has one.
    """

    session_id: str = ""
    job_id: str = ""
    phase: OtherPhase = OtherPhase.UNKNOWN
    detail: str = ""
    submit_at: float | None = None
    is_done: bool = False
    base_url: str | None = None
