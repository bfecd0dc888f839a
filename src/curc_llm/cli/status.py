"""`curc-llm status`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import find, make_poll, session_argument, verb_options
from curc_llm.cli.output import Output, render_pairs

if TYPE_CHECKING:
    from curc_llm.session.record import SessionRecord
    from curc_llm.session.store import FoundSession
    from curc_llm.slurm.poll import SlurmPoll

WATCH_EVERY_S = 0.5


@click.command()
@session_argument
@click.option("--watch", is_flag=True, help="Show it again whenever it changes, until it ends or Ctrl-C.")
@verb_options
def status(session: str | None, watch: bool, config: Path | None, as_json: bool) -> None:
    """Show how a session is doing."""
    output = Output(as_json)
    found = find(config, session, ask_slurm=True)
    _show(found.record, output)
    poll = make_poll()
    while watch and not found.status.is_over:
        time.sleep(WATCH_EVERY_S)
        found = _show_change(found, poll, output)


def _show_change(found: FoundSession, poll: SlurmPoll, output: Output) -> FoundSession:
    from curc_llm.errors import SessionNotFoundError
    from curc_llm.launch.heirs import find_heir
    from curc_llm.launch.queued import load_session

    now = load_session(find_heir(found.paths.root, poll).root, poll)
    if now is None:
        raise SessionNotFoundError(f"Session {found.session_id} has no record any more.")
    if _essence(now.record) != _essence(found.record):
        _show(now.record, output)
    return now


def _essence(record: SessionRecord) -> SessionRecord:
    """The record without its clock, which changes all the time."""
    return record.model_copy(update={"heartbeat_at": 0.0, "idle_stop_at": None})


def _show(record: SessionRecord, output: Output) -> None:
    output.data(render_status(record, time.time()) + "\n", record.to_json())


def render_status(record: SessionRecord, now: float) -> str:
    """The record for people."""
    from curc_llm.client.progress import render_duration

    if record.status.is_over:
        now = record.ended_at or record.heartbeat_at  # nothing has gone on since
    pairs = [("Status", str(record.status)), *_reason(record)]
    pairs += _engines(record, now)
    if record.scale is not None and not record.status.is_over:
        from curc_llm.cli.scale import summarise_cost, summarise_scale

        pairs.append(("Replicas", summarise_scale(record.scale)))
        if cost := summarise_cost(record.scale):
            pairs.append(("", cost))
        pairs += [
            ("", f"{r.session_id} (job {r.job_id}), {': '.join(filter(None, (r.phase, r.detail)))}")
            for r in record.scale.replicas
        ]
    if told := _hand_over(record, now):
        pairs.append(("Goes on as", told))
    if record.slurm_job_id is not None:
        pairs.append(("Slurm job", record.slurm_job_id))
    if record.pid:
        pairs.append(("Host", f"{record.host}, pid {record.pid}{_other_nodes(record)}"))
    began = ("Ran" if record.status.is_over else "Running") if record.pid else "Submitted"
    pairs.append((began, render_duration(now - record.started_at)))
    pairs += [(name, f"in {render_duration(at - now)}") for name, at in _ends(record) if at is not None]
    if record.base_url is not None and not record.status.is_over:
        pairs.append(("Endpoint", record.base_url))
    pairs += [("Warning", warning) for warning in record.warnings]
    return f"{record.session_id}\n{render_pairs(pairs)}"


def _engines(record: SessionRecord, now: float) -> list[tuple[str, str]]:
    from curc_llm.client.progress import render_engines

    pairs = []
    for engine, told in zip(record.engines, render_engines(record, now), strict=True):
        pairs.append(("Model", told))
        if engine.trouble is not None:
            pairs.append(("", f"{engine.trouble.message} {engine.trouble.remedy}"))
    adapters = dict.fromkeys(one.name for engine in record.engines for one in engine.adapters)
    return [*pairs, ("Adapters", ", ".join(adapters))] if adapters else pairs


def _other_nodes(record: SessionRecord) -> str:
    """The further nodes of the job, which the look at all of them has named."""
    nodes = record.preflight.nodes if record.preflight is not None else ()
    others = [node for node in nodes if node != record.host]
    return f"; with {', '.join(others)}" if len(nodes) > 1 and others else ""


def _hand_over(record: SessionRecord, now: float) -> str:
    from curc_llm.cli.extend import summarise_hand_over

    return summarise_hand_over(record, now)


def _reason(record: SessionRecord) -> list[tuple[str, str]]:
    if record.reason is None:
        return []
    return [("Reason", f"{record.reason.message} {record.reason.remedy}".strip())]


def _ends(record: SessionRecord) -> list[tuple[str, float | None]]:
    if record.status.is_over:
        return []
    return [("Ends", record.ends_at), ("Idle stop", record.idle_stop_at)]
