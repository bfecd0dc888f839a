"""The session record: what everything a person touches reads to know how a session is doing."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from curc_llm.session.demand import HandOverRecord, OtherPhase, ScaleRecord
from curc_llm.session.preflight import PreflightReport

RECORD_VERSION = 1


class SessionStatus(StrEnum):
    """How a whole session is doing. `UNKNOWN` (can't tell) is not `GONE` (ended without saying so)."""

    QUEUED = "queued"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    DRAINING = "draining"
    ENDED = "ended"
    FAILED = "failed"
    GONE = "gone"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> SessionStatus | None:
        """A word of a newer job can't be told."""
        return cls.UNKNOWN if isinstance(value, str) else None

    @property
    def is_over(self) -> bool:
        """True when nothing of the session runs any more."""
        return self in {SessionStatus.ENDED, SessionStatus.FAILED, SessionStatus.GONE}


class EnginePhase(StrEnum):
    """What an engine is doing."""

    QUEUED = "queued"
    ENVIRONMENT = "environment"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    COMPILING = "compiling"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"

    @classmethod
    def _missing_(cls, value: object) -> EnginePhase | None:
        """A word of a newer job is a step on the way that this one doesn't know."""
        return cls.ENVIRONMENT if isinstance(value, str) else None


class _Frozen(BaseModel):
    # Readers may be older than the job that wrote the record: unknown fields are ignored, not refused.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Trouble(_Frozen):
    """A failure in a person's words.

    Args:
        code: a stable name, such as `out_of_memory`.
        message: what happened.
        remedy: what to do next.
    """

    code: str
    message: str
    remedy: str = ""


class AdapterRecord(_Frozen):
    """A LoRA adapter of an engine.

    Args:
        name: what the API calls it.
        source: its folder, or a Hugging Face id.
        rank: the largest of its ranks; None while its files haven't been looked at.
        target_modules: the layers that it changes.
    """

    name: str
    source: str
    rank: int | None = None
    target_modules: tuple[str, ...] = ()


class SwapRecord(_Frozen):
    """Another model takes an engine's place.

    Args:
        from_model, to_model: their served model names.
        phase: `planned`, `downloading` (the old one still answers), `stopping`, `starting`, or `going back`
            when the new one failed and the old one is started again.
        progress: 0 to 1 of the download, None when it can't be told.
        detail: the same in words.
        since: Unix time of its beginning.
        adapters: names of the old model's adapters, which go, and come back, with it.
    """

    from_model: str
    to_model: str
    adapters: tuple[str, ...] = ()
    phase: str = "planned"
    progress: float | None = None
    detail: str = ""
    since: float = 0.0


class EngineRecord(_Frozen):
    """One engine of a session.

    Args:
        served_model_name: what the API calls the model.
        model: folder or Hugging Face id.
        phase: what the engine is doing.
        progress: 0 to 1 within the phase, None when it can't be told.
        detail: progress in words, such as `4.2 of 15.0 GiB`.
        phase_since: Unix time at which the phase began, in seconds.
        download_s: seconds that were spent on downloads before the session was ready.
        expected_ready_s: seconds that earlier starts of this model took until ready; None without any.
        started_at: Unix time of the engine's (latest) start.
        ready_at: Unix time at which it became able to answer; None while it can't.
        restarts: how often it was restarted.
        trouble: the latest failure; stays after a successful restart, so that people can be told.
        max_model_len: context length in tokens, once known.
        runner: `generate` or `pooling`.
        revision: the commit that was downloaded; None for folders, and until it is known.
        takes_images: whether images may go in, by the model's configuration; None until it is known.
        adapters: LoRA adapters that can be used now; each is a model name of its own.
        max_loras: adapters that one batch may use; 0 when it was started without LoRA, so that none can be
            added.
        max_lora_rank: the largest rank that can be added; 0 likewise.
        max_num_seqs: requests that it works on at once, over all its copies; 0 until it is known.
        swap: another model is taking its place; None while none is.
        swap_trouble: why the latest exchange failed, so that the old model serves on; None after a good one.
    """

    served_model_name: str
    model: str
    phase: EnginePhase = EnginePhase.QUEUED
    progress: float | None = None
    detail: str = ""
    phase_since: float = 0.0
    download_s: float = 0.0
    expected_ready_s: float | None = None
    started_at: float | None = None
    ready_at: float | None = None
    restarts: int = 0
    trouble: Trouble | None = None
    max_model_len: int | None = None
    runner: str = "generate"
    revision: str | None = None
    takes_images: bool | None = None
    adapters: tuple[AdapterRecord, ...] = ()
    max_loras: int = 0
    max_lora_rank: int = 0
    max_num_seqs: int = 0
    swap: SwapRecord | None = None
    swap_trouble: Trouble | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What the API calls its model and its adapters."""
        return (self.served_model_name, *(adapter.name for adapter in self.adapters))


def _rank(engine: EngineRecord) -> int:
    """How near an engine is to answering: 0 when it can."""
    hopeless = {EnginePhase.FAILED, EnginePhase.STOPPED}
    return 0 if engine.phase is EnginePhase.READY else 2 if engine.phase in hopeless else 1


class SessionRecord(_Frozen):
    """The one record of a session, written by its job alone (session.json). Holds no secret.

    Times are Unix times in seconds; `None` means not known or not so.

    Args:
        session_id: the session's name on disk and in every command.
        owner: Unix user name.
        host, pid, pid_started: where the job runs; pid_started is the process's start in clock ticks since
            boot (field 22 of /proc/PID/stat), so that a reused pid is recognised.
        slurm_job_id: Slurm's job id as a string, or None outside Slurm.
        base_url: the OpenAI-compatible endpoint, ending in /v1; None until the port is bound.
        idle_stop_at: when the session ends if nobody uses it; None while in use or when off.
        ends_at: end of the wall time.
        gives_up_at: when the session ends if none of its models, which have all failed, is started again;
            None while there is no such question.
        warnings: sentences to show, newest last.
        reason: why the session ended, once it has.
        versions: names and versions of what the session runs.
        parent: id of the session that this one is a replica of; empty for one of its own.
        predecessor: id of the session that this one takes over from; empty otherwise.
        successor: id of the session that answers for this one since its hand-over; empty before, and without.
        scale: its replicas; None where it never had any.
        hand_over: how its hand-over gets on; None where none is planned.
        preflight: what was found out about the job's nodes; None for a session on one node.
    """

    version: int = RECORD_VERSION
    session_id: str
    owner: str
    host: str
    pid: int
    pid_started: int
    slurm_job_id: str | None = None
    status: SessionStatus = SessionStatus.STARTING
    engines: tuple[EngineRecord, ...] = ()
    port: int | None = None
    base_url: str | None = None
    chat_url: str | None = None
    started_at: float
    ready_at: float | None = None
    heartbeat_at: float
    idle_stop_at: float | None = None
    ends_at: float | None = None
    gives_up_at: float | None = None
    ended_at: float | None = None
    warnings: tuple[str, ...] = ()
    reason: Trouble | None = None
    versions: dict[str, str] = {}
    parent: str = ""
    predecessor: str = ""
    successor: str = ""
    scale: ScaleRecord | None = None
    hand_over: HandOverRecord | None = None
    preflight: PreflightReport | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return self.model_dump(mode="json")

    def engine(self, served_model_name: str) -> EngineRecord | None:
        """The engine that serves a model name, of several the one that is furthest; or None."""
        return next((e for e in self.models if e.served_model_name == served_model_name), None)

    @property
    def models(self) -> tuple[EngineRecord, ...]:
        """One engine for each model: of replicas the first that is ready, else one that hasn't failed."""
        best: dict[str, EngineRecord] = {}
        for engine in self.engines:
            known = best.setdefault(engine.served_model_name, engine)
            if _rank(engine) < _rank(known):
                best[engine.served_model_name] = engine
        return tuple(best.values())

    @property
    def answers_elsewhere(self) -> bool:
        """Whether a session in another job can answer for this one: a replica, or its successor."""
        others = [*(self.scale.replicas if self.scale else ()), *([self.hand_over] if self.hand_over else ())]
        return any(other.phase is OtherPhase.READY for other in others)

    def engine_of(self, model: str) -> EngineRecord | None:
        """The engine that serves a model or has the adapter of that name, as `engine` does; or None."""
        return self.engine(model) or next((e for e in self.models if model in e.names), None)
