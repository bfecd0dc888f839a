"""`curc-llm ls`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, render_table

if TYPE_CHECKING:
    from curc_llm.session.store import FoundSession

HEADS = ("SESSION", "STATUS", "MODEL", "HOST", "AGE", "ENDPOINT")


@click.command()
@click.option("--all", "over_too", is_flag=True, help="Also sessions that have ended.")
@verb_options
def ls(over_too: bool, config: Path | None, as_json: bool) -> None:
    """List your sessions."""
    from curc_llm.launch.queued import discover_sessions

    output = Output(as_json)
    sessions = discover_sessions(load(config).state_dir, over_too=over_too)
    if not sessions:
        output.say(
            "No session is running. Start one with: curc-llm demo, curc-llm serve MODEL, or on a cluster "
            "curc-llm launch MODEL"
        )
    heads = (*HEADS[:2], "JOB", *HEADS[2:]) if any(s.record.slurm_job_id for s in sessions) else HEADS
    rows = [_row(found, has_job=len(heads) > len(HEADS)) for found in sessions]
    values = [found.record.to_json() for found in sessions]
    output.data(render_table(heads, rows) if rows else "", values, "\n".join(_remarks(sessions)))


def _row(found: FoundSession, *, has_job: bool) -> list[str]:
    import time

    from curc_llm.client.progress import render_duration

    record = found.record
    counts = Counter(engine.served_model_name for engine in record.engines)
    models = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
    age = render_duration((record.ended_at or time.time()) - record.started_at)
    job = [record.slurm_job_id or "-"] if has_job else []
    place = [record.host or "-", age, record.base_url or "-"]
    return [found.session_id, str(found.status), *job, models, *place]


def _remarks(sessions: list[FoundSession]) -> list[str]:
    """Why sessions wait, and that Slurm is silent where it is."""
    from curc_llm.launch.queued import SlurmSession
    from curc_llm.session.record import SessionStatus

    jobs = [(s, s.job) for s in sessions if isinstance(s, SlurmSession) and s.job is not None]
    told = [f"{s.session_id}: {job.why_waiting}" for s, job in jobs if job.why_waiting]
    told += [f"{s.session_id} is a replica of {s.record.parent}." for s in sessions if s.record.parent]
    goes_on = [s for s in sessions if s.record.successor and not s.status.is_over]
    told += [f"{s.session_id} goes on as {s.record.successor}." for s in goes_on]
    if any(s.status is SessionStatus.UNKNOWN for s, _ in jobs):
        told.append("Slurm is silent, so what is unknown may well be running.")
    return told
