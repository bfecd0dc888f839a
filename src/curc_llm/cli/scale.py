"""`curc-llm scale`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import find, session_argument, verb_options
from curc_llm.cli.output import Output, render_pairs, render_table

if TYPE_CHECKING:
    from curc_llm.session.demand import ScaleRecord
    from curc_llm.session.paths import SessionPaths
    from curc_llm.session.record import SessionRecord

HEADS = ("REPLICA", "JOB", "PHASE", "HOST", "REQUESTS", "COST", "")
# The session's job acts within a second; its record follows within another.
SHOWN_WITHIN_S = 10.0
POLL_S = 0.2


@click.command()
@session_argument
@click.option(
    "--min", "min_replicas", type=click.IntRange(1, 64), metavar="N", help="Never fewer; 1 if not given."
)
@click.option(
    "--max",
    "max_replicas",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Never more, the session itself counted.",
)
@click.option(
    "--target-queue",
    type=click.IntRange(0, 100_000),
    metavar="N",
    help="Requests that may wait for each replica before another is added; 4 if not given.",
)
@click.option(
    "--su-budget",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SU",
    help="Service units that all replicas together may cost; the session's own are not counted.",
)
@click.option(
    "--add-after-s", type=click.FloatRange(0, 86400), metavar="S", help="Wait so long before adding; 15."
)
@click.option(
    "--drain-after-s",
    type=click.FloatRange(0, 86400),
    metavar="S",
    help="Wait so long before taking one away; 300.",
)
@click.option("--off", is_flag=True, help="No replicas any more; those that run finish what they answer.")
@verb_options
def scale(session: str | None, off: bool, config: Path | None, as_json: bool, **wanted: Any) -> None:
    """Let a session have replicas in further jobs while requests wait, and show those that run.

    A replica is the same model in a job of its own. One is added when requests wait, and taken away when one
    fewer would do; nobody has to change an address. Without options it only shows what runs; without --max,
    later, only what is named changes.

    \b
    Examples:
      curc-llm scale slurm-3fa --max 4 --su-budget 500
      curc-llm scale slurm-3fa
      curc-llm scale slurm-3fa --su-budget 800
      curc-llm scale slurm-3fa --off
    """  # noqa: D301 - click wants the character
    values = {name: value for name, value in wanted.items() if value is not None}
    _check(off, values)
    found = find(config, session)
    _check_most(values, found.record)
    if off or values:
        from curc_llm.client.order import send_order
        from curc_llm.client.source import LocalSource

        check_site(found.paths, "replicas")
        send_order(LocalSource(found.paths), "/scale", {"is_on": False} if off else values)
        record = _await_change(found.paths, found.record, {"is_on": False} if off else values)
    else:
        record = found.record
    _show(record, Output(as_json))


def _check(off: bool, values: dict[str, Any]) -> None:
    if off and values:
        raise click.UsageError("--off goes alone: it ends all replicas.")


def _check_most(values: dict[str, Any], record: SessionRecord) -> None:
    """How many there may be must be said once; after that anything else can be changed by itself."""
    told = record.scale if record.scale is not None and record.scale.is_on else None
    if values and "max_replicas" not in values and told is None:
        raise click.UsageError("Say how many there may be at most, such as --max 4.")
    most = values.get("max_replicas", told.max_replicas if told is not None else 1)
    least = values.get("min_replicas", 1)
    if values and least > most:
        raise click.UsageError(f"--min {least} is more than --max {most}.")


def check_site(paths: SessionPaths, what: str) -> None:
    """Refuses what the session's site doesn't let its job do.

    Raises:
        LaunchError: the session is no Slurm job, or the site takes no jobs from compute nodes.
    """
    from curc_llm.errors import CurcLlmError, LaunchError
    from curc_llm.sites.load import load_site
    from curc_llm.spec import read_launch_spec

    spec = read_launch_spec(paths.spec)
    if spec.slurm is None:
        message = f"Session {spec.session_id} is no Slurm job, so it can't start others."
        raise LaunchError(message, "Launch it at a Slurm centre: curc-llm launch MODEL")
    try:
        site = load_site(spec.site_file or spec.site)
    except CurcLlmError:
        return  # a file of the person's own, which the job doesn't know either
    if not site.runtime.jobs_may_submit:
        raise LaunchError(
            f"{site.title} takes no jobs from compute nodes, so a session can have no {what} there.",
            "Launch a second session by hand: curc-llm repeat. If the centre does allow it, its staff set "
            "jobs_may_submit in the site file.",
        )


def _await_change(paths: SessionPaths, before: SessionRecord, values: dict[str, Any]) -> SessionRecord:
    """The record once it shows what was asked for, or as it is after a while."""
    from curc_llm.session.store import read_record

    deadline = time.monotonic() + SHOWN_WITHIN_S
    while True:
        record = read_record(paths.record) or before
        told = record.scale
        is_there = told is not None and all(getattr(told, n, v) == v for n, v in values.items())
        if is_there or time.monotonic() > deadline:
            return record
        time.sleep(POLL_S)


def _show(record: SessionRecord, output: Output) -> None:
    told = record.scale
    if told is None:
        output.data("", {"session_id": record.session_id, "scale": None})
        output.say(f"Session {record.session_id} has no replicas. Allow some: curc-llm scale --max 4")
        return
    value = {"session_id": record.session_id, "scale": told.model_dump(mode="json")}
    output.data(render_scale(told), value)


def render_scale(told: ScaleRecord) -> str:
    """The replicas for people, below what was asked for."""
    pairs = [("Replicas", summarise_scale(told))]
    pairs += [("Cost", summarise_cost(told))] if told.su_spent is not None else []
    pairs += [("Note", told.note)] if told.note else []
    rows = [
        [r.session_id, r.job_id, str(r.phase), r.host or "-", str(r.running), _su(r.su), r.detail]
        for r in told.replicas
    ]
    return render_pairs(pairs) + "\n" + (render_table(HEADS, rows) if rows else "")


def summarise_scale(told: ScaleRecord) -> str:
    """How many there are and may be, in a line.

    Example:
        >>> summarise_scale(ScaleRecord(min_replicas=1, max_replicas=4, target_queue=4))
        'this session alone, of 1 to 4; nothing waits'
    """
    phases = [str(replica.phase) for replica in told.replicas]
    counts = ", ".join(f"{phases.count(phase)} {phase}" for phase in dict.fromkeys(phases))
    many = f"this session and {len(phases)} more ({counts})" if phases else "this session alone"
    asked = f"of {told.min_replicas} to {told.max_replicas}" if told.is_on else "no more are added"
    waits = f"{told.waiting} requests wait" if told.waiting else "nothing waits"
    return f"{many}, {asked}; {waits}"


def summarise_cost(told: ScaleRecord) -> str:
    """What replicas have cost, in a line; empty where nothing is charged.

    Example:
        >>> summarise_cost(ScaleRecord(min_replicas=1, max_replicas=4, target_queue=4, su_spent=5))
        '5.00 SU so far; those that run take 0.00 more at most'
    """
    if told.su_spent is None:
        return ""
    budget = f" of {told.su_budget:,.4g} allowed" if told.su_budget is not None else ""
    bound = told.su_bound or 0.0
    return f"{told.su_spent:,.2f} SU so far{budget}; those that run take {bound:,.2f} more at most"


def _su(su: float | None) -> str:
    return "-" if su is None else f"{su:,.2f} SU"
