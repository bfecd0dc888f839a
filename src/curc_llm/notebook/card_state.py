"""What a session's card shows: pure functions from a look at the session to plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curc_llm.chat.durations import render_duration
from curc_llm.chat.session_panel import PHASE_WORDS
from curc_llm.errors import CurcLlmError
from curc_llm.notebook.watch import Look
from curc_llm.session.cost import count_su, make_cost
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus
from curc_llm.spec import LaunchSpec

State = dict[str, Any]

STATUS_WORDS = {
    SessionStatus.QUEUED: "Waiting in the queue",
    SessionStatus.STARTING: "Starting",
    SessionStatus.READY: "Ready",
    SessionStatus.RESTARTING: "Starting again",
    SessionStatus.DRAINING: "Ending",
    SessionStatus.ENDED: "Ended",
    SessionStatus.FAILED: "Failed",
    SessionStatus.GONE: "Ended without a word",
    SessionStatus.UNKNOWN: "Slurm is silent",
}
_LEVELS = {
    SessionStatus.READY: "ok",
    SessionStatus.ENDED: "over",
    SessionStatus.GONE: "over",
    SessionStatus.FAILED: "trouble",
    SessionStatus.UNKNOWN: "warning",
    SessionStatus.DRAINING: "warning",
}
SETTLED = {EnginePhase.READY, EnginePhase.FAILED, EnginePhase.STOPPED}
NO_REASON = "It ended without saying why."
LAUNCH_AGAIN = "Launch it again below, or start another with curc_llm.connect()."


def make_card(look: Look, name: str, *, spec: LaunchSpec | None = None, unit: str = "SU") -> State:
    """The card's figures and sentences; times are Unix times, so that the page itself counts them down.

    Args:
        look: the session as it was last seen.
        name: what to call it.
        spec: what it was launched with, for its cost; None when it can't be read here.
        unit: what the site's service units are called.
    """
    record = look.record
    state: State = {"name": name, **_headline(look), "trouble": _trouble(look.trouble)}
    if record is None:
        return {**state, "title": "", "place": "", "models": [], "status": "unknown"}
    return {
        **state,
        "status": str(record.status),
        "title": ", ".join(engine.served_model_name for engine in record.models),
        "place": render_place(record),
        "models": [_model(engine) for engine in record.models],
        "is_over": record.status.is_over,
        "ends_at": record.ends_at,
        "ended_at": record.ended_at,
        "idle_stop_at": record.idle_stop_at if not record.status.is_over else None,
        "cost": make_cost(record, spec, unit),
        "base_url": record.base_url if not record.status.is_over else None,
        "warning": record.warnings[-1] if record.warnings else "",
    }


def render_place(record: SessionRecord) -> str:
    """Where it runs, in a few words.

    Example:
        >>> render_place(record)
        'job 4711 on c3gpu-a9-u31'
    """
    job = f"job {record.slurm_job_id}" if record.slurm_job_id else ""
    host = f"on {record.host}" if record.host else ""
    return f"{job} {host}".strip()


def _headline(look: Look) -> State:
    """The one thing to say first: level, headline, detail, remedy, progress."""
    record = look.record
    if record is None:
        text = look.trouble.message if look.trouble else "Asking how the session is doing …"
        return _say("trouble" if look.trouble else "busy", text, remedy=_remedy(look.trouble))
    if record.status.is_over:
        return _end(record)
    if look.trouble is not None:
        return _say("trouble", "The session doesn't answer", look.trouble.message, _remedy(look.trouble))
    if record.status in {SessionStatus.QUEUED, SessionStatus.UNKNOWN}:
        return _queued(look, record)
    level = _LEVELS.get(record.status, "busy")
    if record.status is SessionStatus.DRAINING:
        return _say(level, "Ending", "Answers that are being written are finished first.")
    return _loading(record, level)


def _say(
    level: str, headline: str, detail: str = "", remedy: str = "", progress: State | None = None
) -> State:
    return {"level": level, "headline": headline, "detail": detail, "remedy": remedy, "progress": progress}


def _trouble(error: CurcLlmError | None) -> State | None:
    return None if error is None else {"message": error.message, "remedy": error.remedy}


def _remedy(error: CurcLlmError | None) -> str:
    return error.remedy if error is not None else ""


def _end(record: SessionRecord) -> State:
    reason = record.reason
    message, remedy = (reason.message, reason.remedy) if reason else (NO_REASON, "")
    level = _LEVELS.get(record.status, "over")
    return _say(level, "The session has ended", message, remedy or LAUNCH_AGAIN)


def _queued(look: Look, record: SessionRecord) -> State:
    job = look.job
    if job is None or not job.state.is_waiting:
        detail = "Slurm doesn't answer just now; the session is not touched by this."
        return _say("warning", STATUS_WORDS[record.status], detail)
    parts = [job.why_waiting or "Slurm has not looked at it yet"]
    if look.position is not None:
        parts.append(f"place {look.position.place} of {look.position.waiting} in {job.partition}")
    if job.start_at is not None and job.start_at > look.at:
        parts.append(f"Slurm expects it to start in {render_duration(job.start_at - look.at)}")
    remedy = "It will never start like this: stop it, and launch it otherwise." if job.waits_in_vain else ""
    level = "trouble" if job.waits_in_vain else "busy"
    detail = "; ".join(parts)
    return _say(level, "Waiting in the queue", f"{detail[:1].upper()}{detail[1:]}.", remedy, _moving())


def _moving(share: float | None = None, since: float | None = None, expected_s: float | None = None) -> State:
    """A bar: `share` from 0 to 1, or what the page works out from the time that it usually takes."""
    return {"share": share, "since": since, "expected_s": expected_s}


def _loading(record: SessionRecord, level: str) -> State:
    """Of several engines the one that is furthest from an answer."""
    failed = next((e for e in record.models if e.phase is EnginePhase.FAILED), None)
    busy = next((e for e in record.models if e.phase not in SETTLED), None)
    if busy is not None:
        return _phase(busy, record)
    if failed is not None:
        trouble = failed.trouble
        message = trouble.message if trouble else NO_REASON
        remedy = trouble.remedy if trouble else ""
        return _say("trouble", f"{failed.served_model_name} has stopped", message, remedy)
    return _say(level, STATUS_WORDS.get(record.status, str(record.status)))


def _phase(engine: EngineRecord, record: SessionRecord) -> State:
    words = PHASE_WORDS[engine.phase]
    name = f" {engine.served_model_name}:" if len(record.models) > 1 else ""
    detail = f"{name} {engine.detail}".strip()
    if engine.restarts and engine.trouble is not None:
        detail = f"{engine.trouble.message} {detail}".strip()
    share = None if engine.expected_ready_s else engine.progress
    bar = _moving(share, engine.started_at, engine.expected_ready_s)
    level = "warning" if engine.restarts else "busy"
    return _say(level, f"{words} …", detail, "", bar)


def _model(engine: EngineRecord) -> State:
    return {
        "name": engine.served_model_name,
        "phase": PHASE_WORDS[engine.phase],
        "is_ready": engine.phase is EnginePhase.READY,
        "context_tokens": engine.max_model_len,
        "kind": "embeddings" if engine.runner == "pooling" else "chat",
    }


def render_card(state: Mapping[str, Any], now: float) -> str:
    """The card as text, for places that can't show widgets.

    Args:
        state: from `make_card`.
        now: Unix time in seconds.
    """
    first = f"Session {state['name']}: {state['headline']}"
    if state.get("title"):
        first += f" ({state['title']})"
    rows = [first, *(state[part] for part in ("detail", "remedy") if state.get(part))]
    if state.get("ends_at") and not state.get("is_over"):
        rows.append(f"Time left: {render_duration(state['ends_at'] - now)}")
    if cost := state.get("cost"):
        spent = count_su(cost, now, state.get("ended_at"))
        rows.append(f"Cost: {spent:,.0f} of at most {cost['su_most']:,.0f} {cost['unit']}")
    if state.get("base_url"):
        rows.append(f"Endpoint: {state['base_url']}")
    if state.get("key_file"):
        rows.append(f"Key: in {state['key_file']}")
    if state.get("warning"):
        rows.append(f"Note: {state['warning']}")
    return "\n".join(rows)
