"""`curc-llm extend`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import find, session_argument, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.session.paths import SessionPaths
    from curc_llm.session.record import SessionRecord

# Slurm may be asked first whether it gives more time, or when another job would start.
SHOWN_WITHIN_S = 30.0
POLL_S = 0.2
# An end that moves by less isn't more time: Slurm tells it in whole minutes.
MORE_TIME_S = 60.0


@click.command()
@session_argument
@click.option(
    "--hours", type=click.FloatRange(0.1, 744), required=True, metavar="H", help="Hours after its wall time."
)
@click.option(
    "--now", "is_now", is_flag=True, help="Go over to another job now, not when the time is nearly over."
)
@verb_options
def extend(session: str | None, hours: float, is_now: bool, config: Path | None, as_json: bool) -> None:
    """Let a session go on after its wall time.

    Slurm is asked for more time where the centre lets people have it. Else another job is submitted, early
    enough to be ready in time; then it takes over: its name stands in the session's record, keys stay valid,
    chats are kept, and the old address leads to it until the old job's end.

    \b
    Examples:
      curc-llm extend slurm-3fa --hours 4
      curc-llm extend --hours 8 --now
    """  # noqa: D301 - click wants the character
    from curc_llm.cli.scale import check_site
    from curc_llm.client.order import send_order
    from curc_llm.client.source import LocalSource

    output = Output(as_json)
    found = find(config, session)
    check_site(found.paths, "successor")
    if not found.status.is_over:
        _tell_way_and_cost(found.paths, found.record, hours, is_now, output)
    send_order(LocalSource(found.paths), "/extend", {"hours": hours, "is_now": is_now})
    record = _await_change(found.paths, found.record)
    for warning in [w for w in record.warnings if w not in found.record.warnings]:
        output.say(warning)
    told = record.hand_over.model_dump(mode="json") if record.hand_over is not None else None
    value = {"session_id": record.session_id, "ends_at": record.ends_at, "hand_over": told}
    output.data(render_extended(record, found.record, time.time()) + "\n", value)


def _tell_way_and_cost(
    paths: SessionPaths, record: SessionRecord, hours: float, is_now: bool, output: Output
) -> None:
    from curc_llm.errors import CurcLlmError
    from curc_llm.launch.other_spec import find_su_per_h
    from curc_llm.sites.load import load_site
    from curc_llm.spec import read_launch_spec

    spec = read_launch_spec(paths.spec)
    try:
        site = load_site(spec.site_file or spec.site)
    except CurcLlmError:
        return  # a file of the person's own, which the job doesn't know either
    output.say(explain_way(is_now=is_now, may_extend=site.runtime.users_may_extend))
    if rate := find_su_per_h(spec, record):
        unit = site.billing.unit
        told = f"{hours:g} h more cost at most {rate * hours:,.4g} {unit}"
        output.say(f"{told}, and {rate:,.4g} {unit} for each hour in which both jobs run.")


def explain_way(*, is_now: bool, may_extend: bool) -> str:
    """How the session is to go on, and what the other way is.

    Args:
        is_now: over to another job at once.
        may_extend: people may give their jobs more time at this site.
    """
    if is_now and may_extend:
        return "Another job goes on. Without --now Slurm would be asked first to give this one more time."
    if is_now:
        return "Another job goes on, as soon as it is ready."
    if may_extend:
        return "Slurm is asked for more time for this job; if it gives none, another job goes on."
    return "Jobs get no more time at this site, so another job goes on, in time; at once with --now."


def _await_change(paths: SessionPaths, before: SessionRecord) -> SessionRecord:
    """The record once it shows what became of it, or as it is after a while."""
    from curc_llm.session.store import read_record

    deadline = time.monotonic() + SHOWN_WITHIN_S
    while True:
        now = read_record(paths.record) or before
        if _is_extended(now, before) or time.monotonic() > deadline:
            return now
        time.sleep(POLL_S)


def _is_extended(now: SessionRecord, before: SessionRecord) -> bool:
    is_planned = now.hand_over is not None and now.hand_over != before.hand_over
    return is_planned or _has_more_time(now, before)


def _has_more_time(now: SessionRecord, before: SessionRecord) -> bool:
    return now.ends_at is not None and now.ends_at - (before.ends_at or now.ends_at) > MORE_TIME_S


def render_extended(now: SessionRecord, before: SessionRecord, at: float) -> str:
    """What became of the wish, in a line."""
    from curc_llm.client.progress import render_duration

    if _has_more_time(now, before) and now.ends_at is not None:
        return f"Slurm has given it more time: it ends in {render_duration(now.ends_at - at)}."
    told = summarise_hand_over(now, at)
    return told or f"The session hasn't said yet what becomes of it: curc-llm status {now.session_id}"


def summarise_hand_over(record: SessionRecord, at: float) -> str:
    """How the hand-over gets on, in a line; empty where none is planned.

    Args:
        record: the session's.
        at: Unix time in seconds.
    """
    from curc_llm.client.progress import render_duration

    told = record.hand_over
    if told is None or (record.status.is_over and not told.session_id):
        return ""
    if told.session_id:
        phase = ": ".join(filter(None, (told.phase, told.detail)))
        state = "answers for it" if told.is_done else phase
        return f"{told.session_id} (job {told.job_id}), {state}"
    if told.submit_at is not None:
        return (
            f"another job is submitted in {render_duration(told.submit_at - at)}, so that it is ready in time"
        )
    return told.detail or "another job is being submitted"
