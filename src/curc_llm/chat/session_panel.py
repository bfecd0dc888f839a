"""What the page says about the session: pure functions from a snapshot to a banner and a status line."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.chat.durations import render_duration, render_rough_duration
from curc_llm.chat.session_watch import Snapshot
from curc_llm.session.keys import OWNER
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus, Trouble

IDLE_WARNING_S = 300.0
WALL_WARNING_S = 900.0
RESTART_TOLD_S = 300.0
LOST_S = 5.0

PHASE_WORDS = {
    EnginePhase.QUEUED: "Waiting to start",
    EnginePhase.ENVIRONMENT: "Preparing the environment",
    EnginePhase.DOWNLOADING: "Downloading the model",
    EnginePhase.LOADING: "Loading the model into memory",
    EnginePhase.COMPILING: "Warming up",
    EnginePhase.RESTARTING: "Starting again",
    EnginePhase.READY: "Ready",
    EnginePhase.FAILED: "Stopped with an error",
    EnginePhase.STOPPED: "Stopped",
}


@dataclass(frozen=True)
class Banner:
    """What stands above the conversation.

    Args:
        level: `busy`, `warning` or `trouble`.
        title: one sentence.
        detail: what more there is to say, or what to do.
        progress: 0 to 1; None without a bar; below 0 for a bar that only shows that something goes on.
        can_keep_going: True when a click keeps the session from ending.
        can_restart: True when a click starts the model again.
        model: served name of the model that it is about.
        again: the command that launches the session again, once it is over.
        is_job: the session is a job of Slurm, which the portal can launch again too.
        moves_to: the session that has taken over, to whose page a click leads; empty for none.
        closes_as: what tells it from another one of its kind, when a person may close it; else empty.
    """

    level: str
    title: str
    detail: str = ""
    progress: float | None = None
    can_keep_going: bool = False
    can_restart: bool = False
    model: str = ""
    again: str = ""
    is_job: bool = False
    moves_to: str = ""
    closes_as: str = ""


def make_banner(snapshot: Snapshot, model: str) -> Banner | None:
    """The most important thing to say about the session, or None when all is well.

    Args:
        snapshot: the session.
        model: served name of the model that the page talks to.
    """
    record = snapshot.record
    if snapshot.lost_s > LOST_S:
        return _make_lost(record)
    if record is None:
        return Banner("busy", "Asking how the session is doing …", progress=-1.0)
    if record.status.is_over:
        return _make_end(record)
    engine = snapshot.engine(model)
    return (
        _make_moved(record, snapshot.now)
        or _make_swap(engine)
        or _make_engine_banner(record, engine, snapshot.now)
        or _make_ending(record, snapshot.now)
        or _make_restarted(engine, snapshot.now)
        or _make_warning(record)
    )


LOST_DETAIL = "It may have ended, or is starting this page's server again. `curc-llm ls` tells how it is."


def make_status_line(snapshot: Snapshot, model: str) -> str:
    """A few words beside the title: how the model is, and how long the session lasts."""
    record, engine = snapshot.record, snapshot.engine(model)
    if record is None or snapshot.lost_s > LOST_S:
        return "no connection"
    if record.status.is_over:
        return "ended"
    words = [PHASE_WORDS[engine.phase].lower() if engine else record.status.value]
    if record.ends_at is not None:
        words.append(f"{render_rough_duration(record.ends_at - snapshot.now)} left")
    return " · ".join(words)


def make_state_word(snapshot: Snapshot, model: str) -> str:
    """What the browser's tab says of the model, in a word or two; empty when it is ready.

    Example:
        >>> make_state_word(Snapshot(lost_s=60), "")
        'No connection'
    """
    record, engine = snapshot.record, snapshot.engine(model)
    if snapshot.lost_s > LOST_S:
        return "No connection"
    if record is not None and record.status.is_over:
        return "Ended"
    if engine is not None and engine.phase in {EnginePhase.FAILED, EnginePhase.STOPPED}:
        return "Failed"
    return "" if engine is not None and engine.phase is EnginePhase.READY else "Loading"


def make_waiting_line(snapshot: Snapshot, model: str) -> str:
    """What a message that waits for the model says."""
    engine = snapshot.engine(model)
    if engine is None:
        return "Waiting for the model"
    # The page may talk to another one by now.
    name = model if len(snapshot.models) > 1 else "the model"
    return f"Waiting for {name}: {_lower_first(_render_phase(engine))}"


def is_ready(snapshot: Snapshot, model: str) -> bool:
    """True when the model can be asked."""
    record, engine = snapshot.record, snapshot.engine(model)
    if record is None or record.status.is_over:
        return False
    return engine is not None and engine.phase is EnginePhase.READY and snapshot.lost_s == 0


def find_dead_end(snapshot: Snapshot, model: str) -> Trouble | None:
    """Why waiting for the model is of no use, or None while there is hope."""
    record, engine = snapshot.record, snapshot.engine(model)
    if snapshot.lost_s > 6 * LOST_S:
        return Trouble(code="lost", message="The session doesn't answer.", remedy=LOST_DETAIL)
    if record is None:
        return None
    if record.status.is_over:
        return record.reason or Trouble(code="ended", message="The session has ended.", remedy=START_AGAIN)
    if engine is not None and engine.phase in {EnginePhase.FAILED, EnginePhase.STOPPED}:
        return engine.trouble or Trouble(code="engine_failed", message="The model has stopped.")
    return None


def can_restart(snapshot: Snapshot, model: str) -> bool:
    """True when the model failed for good in a session that goes on."""
    record, engine = snapshot.record, snapshot.engine(model)
    if record is None or engine is None or record.status.is_over or snapshot.lost_s > LOST_S:
        return False
    return engine.phase is EnginePhase.FAILED and record.status is not SessionStatus.DRAINING


START_AGAIN = "Start a new session to go on."


def _make_end(record: SessionRecord) -> Banner:
    reason = record.reason
    if record.successor and reason is not None:
        return Banner("warning", reason.message, MOVED, moves_to=record.successor)
    level = "warning" if record.status is SessionStatus.ENDED else "trouble"
    title = "The session has ended." if reason is None else f"The session has ended. {reason.message}"
    remedy = START_AGAIN if reason is None else reason.remedy or START_AGAIN
    is_job = record.slurm_job_id is not None
    again = f"curc-llm {'repeat' if is_job else 'serve --from'} {record.session_id}"
    return Banner(level, title, remedy, again=again, is_job=is_job)


def _make_failed(record: SessionRecord, engine: EngineRecord, now: float) -> Banner:
    """A model that failed for good: why, what to do, and until when it can be started again."""
    name, trouble = engine.served_model_name, engine.trouble
    parts = [trouble.message, trouble.remedy] if trouble else []
    if record.gives_up_at is not None:
        left = render_rough_duration(record.gives_up_at - now)
        parts.append(f"The session ends in {left} unless a model is started again.")
    can_restart = engine.phase is EnginePhase.FAILED and record.status is not SessionStatus.DRAINING
    detail = " ".join(part for part in parts if part)
    return Banner("trouble", f"{name} has stopped.", detail, can_restart=can_restart, model=name)


def explain_retry(user: str) -> str:
    """What to do with a message that a failed model didn't answer.

    Args:
        user: who wrote it.
    """
    first = "Wait until its owner starts it again"
    if user == OWNER:
        first = "Start the model again with the button above"
    return f"{first}, then retry with the arrow below: your message is sent again."


def _make_engine_banner(record: SessionRecord, engine: EngineRecord | None, now: float) -> Banner | None:
    if engine is None or engine.phase is EnginePhase.READY:
        return None
    name = engine.served_model_name
    if engine.phase in {EnginePhase.FAILED, EnginePhase.STOPPED}:
        return _make_failed(record, engine, now)
    if engine.restarts or engine.phase is EnginePhase.RESTARTING:
        why = engine.trouble.message if engine.trouble else "It stopped without a reason."
        phase = "" if engine.phase is EnginePhase.RESTARTING else f": {_lower_first(_render_phase(engine))}"
        title = f"{name} is starting again{phase}"
        return Banner(
            "warning", title, f"{why} {_render_elapsed(engine, now)}".strip(), _progress(engine, now)
        )
    title = f"{_render_phase(engine)}: {name}"
    return Banner("busy", title, _render_elapsed(engine, now), _progress(engine, now))


def _make_swap(engine: EngineRecord | None) -> Banner | None:
    """Another model takes this one's place: how far that is, and whether one can go on writing."""
    swap = engine.swap if engine is not None else None
    if engine is None or swap is None:
        return None
    old, title = swap.from_model, f"{swap.to_model} takes the place of {swap.from_model}"
    if swap.phase in {"planned", "downloading"}:
        step = f"{title}: downloading {swap.detail}".strip()
        return Banner("busy", step, f"{old} still answers.", -1.0 if swap.progress is None else swap.progress)
    if swap.phase == "stopping":
        return Banner("busy", title, f"{old} ends what it is answering.", -1.0)
    phase = _lower_first(_render_phase(engine))
    if swap.phase == "going back":
        failed = f"{swap.to_model} could not start; {old} is started again: {phase}"
        return Banner("warning", failed, WRITE_NOW, -1.0)
    return Banner("busy", f"{title}: {phase}", WRITE_NOW, -1.0)


MOVED = "Your chats are there, and keys go on working."


def _make_moved(record: SessionRecord, now: float) -> Banner | None:
    """Another session has taken over: this page still works, through it, until its own job ends."""
    if not record.successor:
        return None
    left = f" for {render_rough_duration(record.ends_at - now)}" if record.ends_at else " until it ends"
    detail = f"It answers you already; this page works{left}. {MOVED}"
    return Banner("warning", f"The session goes on as {record.successor}.", detail, moves_to=record.successor)


def _make_lost(record: SessionRecord | None) -> Banner:
    if record is None or not record.successor:
        return Banner("trouble", "The session doesn't answer.", LOST_DETAIL)
    title = f"The session goes on as {record.successor}."
    return Banner("warning", title, f"This page's own doesn't answer. {MOVED}", moves_to=record.successor)


def _make_ending(record: SessionRecord, now: float) -> Banner | None:
    if record.status is SessionStatus.DRAINING:
        return Banner(
            "warning", "The session is ending.", "Answers that are being written are finished first."
        )
    wall_s = float("inf") if record.ends_at is None else record.ends_at - now
    idle_s = float("inf") if record.idle_stop_at is None else record.idle_stop_at - now
    if idle_s < IDLE_WARNING_S and idle_s < wall_s:
        title = f"The session ends in {render_rough_duration(idle_s)}, because nobody uses it."
        return Banner("warning", title, "Write a message or choose Keep going.", can_keep_going=True)
    if wall_s < WALL_WARNING_S:
        title = f"The session's time is up in {render_rough_duration(wall_s)}."
        return Banner("warning", title, "Your chats are kept, and are there again in your next session.")
    return None


def _make_restarted(engine: EngineRecord | None, now: float) -> Banner | None:
    if engine is None or engine.trouble is None or engine.ready_at is None or not engine.restarts:
        return None
    if now - engine.ready_at > RESTART_TOLD_S:
        return None
    name = engine.served_model_name
    closes_as = f"{name} {engine.ready_at}"
    return Banner("warning", f"{name} was started again.", engine.trouble.message, closes_as=closes_as)


def _make_warning(record: SessionRecord) -> Banner | None:
    last = record.warnings[-1] if record.warnings else ""
    return Banner("warning", last, closes_as=last) if last else None


def _render_phase(engine: EngineRecord) -> str:
    words = PHASE_WORDS[engine.phase]
    if engine.detail:
        return f"{words} ({engine.detail})"
    return words if engine.progress is None else f"{words} ({engine.progress:.0%})"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _render_elapsed(engine: EngineRecord, now: float) -> str:
    if engine.started_at is None:
        return ""
    elapsed = f"{render_duration(now - engine.started_at)} so far"
    if engine.expected_ready_s is not None:
        elapsed += f", about {render_duration(engine.expected_ready_s)} as a rule"
    return f"{elapsed}. {WRITE_NOW}"


WRITE_NOW = "You can write now: your message is sent when the model is ready."


def _progress(engine: EngineRecord, now: float) -> float:
    """Share of the usual time when it is known (it runs evenly through all phases), else of the phase."""
    if engine.expected_ready_s and engine.started_at is not None:
        return min(0.97, max(0.01, (now - engine.started_at) / engine.expected_ready_s))
    return -1.0 if engine.progress is None else min(1.0, engine.progress)
