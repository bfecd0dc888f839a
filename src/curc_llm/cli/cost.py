"""`curc-llm cost`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from curc_llm.cli.options import complete_session, load, verb_options
from curc_llm.cli.output import Output, render_table

if TYPE_CHECKING:
    from curc_llm.plan.plan import Plan
    from curc_llm.settings import Settings
    from curc_llm.sites.site import Site
    from curc_llm.slurm.accounting import JobCost, JobUse

HEADS = ("JOB", "SESSION", "STATE", "RAN", "GPUS", "USED", "PLANNED", "OF ALL")


class Asked(NamedTuple):
    """A job that is asked for.

    Args:
        job_id: Slurm's number.
        session_id: the session that it is; empty for any other job.
        site: whose prices count.
        plan: what was planned; None where nothing was.
        replica_of: the session that it is a replica of; empty for others.
        successor_of: the session that it goes on for; empty for others.
    """

    job_id: str
    session_id: str
    site: Site
    plan: Plan | None
    replica_of: str = ""
    successor_of: str = ""


class Row(NamedTuple):
    """A job with its cost; both None where Slurm is silent or knows no such job."""

    asked: Asked
    uses: tuple[JobUse, ...]
    cost: JobCost | None


@click.command()
@click.argument("names", metavar="[SESSION|JOB]...", nargs=-1, shell_complete=complete_session)
@verb_options
def cost(names: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """Show what sessions and jobs have cost so far, beside what was planned.

    USED is what Slurm's accounting says that the job held, times the site's prices; PLANNED is the plan's for
    the same time, OF ALL the plan's for the whole wall time. Without a name: all your sessions in Slurm.

    \b
    Examples:
      curc-llm cost
      curc-llm cost slurm-3fa 1234567 --json
    """  # noqa: D301 - click wants the character
    from curc_llm.errors import SlurmSilentError
    from curc_llm.slurm.accounting import ask_use, count_cost
    from curc_llm.slurm.command import Slurm

    output = Output(as_json)
    jobs = _find_jobs(names, load(config))
    if not jobs:
        output.data("", {"jobs": [], "total": {}})
        output.say("None of your sessions is a Slurm job. Any job of yours: curc-llm cost JOB")
        return
    try:
        uses, is_silent = ask_use(Slurm(), [job.job_id for job in jobs]), False
    except SlurmSilentError:
        uses, is_silent = {}, True
    rows = [_make_row(job, uses, count_cost) for job in jobs]
    value = {"jobs": [_describe(row) for row in rows], "total": _total(rows)}
    output.data(_render(rows), value, "\n".join(_remarks(jobs)))
    if is_silent:
        output.say("Slurm's accounting is silent, so what was used is unknown. Try again in a minute.")


def _make_row(job: Asked, uses: dict[str, tuple[JobUse, ...]], count_cost: Any) -> Row:
    found = uses.get(job.job_id, ())
    return Row(job, found, count_cost(found, job.site, job.plan) if found else None)


def _find_jobs(names: Sequence[str], settings: Settings) -> list[Asked]:
    """The jobs that are meant: of sessions by name or number; a number that no session has is any job's."""
    from curc_llm.errors import SessionNotFoundError
    from curc_llm.launch.queued import discover_sessions
    from curc_llm.session.store import choose_session
    from curc_llm.sites.load import load_site

    sessions = discover_sessions(settings.state_dir, over_too=True, ask_all=False)
    if not names:
        found = [s for s in sessions if s.record.slurm_job_id]
        return [_of_session(s.paths.spec, s.session_id, s.record.slurm_job_id or "", settings) for s in found]
    jobs: dict[str, Asked] = {}
    for name in names:
        try:
            session = choose_session(sessions, name, over_too=True)
        except SessionNotFoundError:
            if not (name.isascii() and name.isdigit()):
                raise
            jobs[name] = Asked(name, "", load_site(settings.site), None)
            continue
        job_id = session.record.slurm_job_id
        if not job_id:
            raise SessionNotFoundError(
                f"Session {session.session_id} isn't a Slurm job, so it costs nothing.",
                "Name a session of Slurm's, or a job's number.",
            )
        jobs[job_id] = _of_session(session.paths.spec, session.session_id, job_id, settings)
    return list(jobs.values())


def _of_session(spec_path: Path, session_id: str, job_id: str, settings: Settings) -> Asked:
    from curc_llm.errors import SpecError
    from curc_llm.sites.load import load_site
    from curc_llm.spec import read_launch_spec

    try:
        spec = read_launch_spec(spec_path)
    except SpecError:
        return Asked(job_id, session_id, load_site(settings.site), None)
    plan = next((origin.plan for origin in spec.origins if origin.plan is not None), None)
    site = load_site(spec.site_file or spec.site or settings.site)
    return Asked(job_id, session_id, site, plan, spec.parent, spec.predecessor)


def _render(rows: Sequence[Row]) -> str:
    cells = [_cells(row) for row in rows]
    total = _total(rows, used_digits=1, planned_digits=0)  # of the figures as shown, so that they add up
    if len(rows) > 1:
        for unit, sums in total.items():
            used = f"{sums['used']:,.1f} {unit}"
            cells.append(["all", "", "", "", "", used, "", f"{sums['planned']:,.0f}"])
    return render_table(HEADS, cells)


def _cells(row: Row) -> list[str]:
    from curc_llm.client.progress import render_duration

    asked, last, cost = row.asked, row.uses[-1] if row.uses else None, row.cost
    unit = asked.site.billing.unit
    used = "unknown" if cost is None or cost.su is None else f"{cost.su:,.1f} {unit}"
    so_far = cost.planned_su_so_far if cost else None
    return [
        asked.job_id,
        asked.session_id or "-",
        last.state.value.lower() if last else "unknown",
        render_duration(cost.elapsed_s) if cost else "-",
        f"{last.gpus} {last.gpu_type}".strip() if last and last.gpus else "-",
        used,
        "-" if so_far is None else f"{so_far:,.1f}",
        "-" if asked.plan is None or asked.plan.su_total is None else f"{asked.plan.su_total:,.0f}",
    ]


def _remarks(jobs: Sequence[Asked]) -> list[str]:
    """Which jobs another session has started: their owner hasn't, by name."""
    told = [f"{job.session_id} is a replica of {job.replica_of}." for job in jobs if job.replica_of]
    return told + [f"{job.session_id} goes on for {job.successor_of}." for job in jobs if job.successor_of]


def _total(
    rows: Sequence[Row], *, used_digits: int = 6, planned_digits: int = 6
) -> dict[str, dict[str, float]]:
    """Sums by unit: sites may count differently."""
    total: dict[str, dict[str, float]] = {}
    for row in rows:
        sums = total.setdefault(row.asked.site.billing.unit, {"used": 0.0, "planned": 0.0})
        sums["used"] += round(row.cost.su or 0.0, used_digits) if row.cost else 0.0
        sums["planned"] += round(row.asked.plan.su_total or 0.0, planned_digits) if row.asked.plan else 0.0
    return {unit: {name: round(value, 3) for name, value in sums.items()} for unit, sums in total.items()}


def _describe(row: Row) -> dict[str, Any]:
    """The row for scripts: fixed keys, None where nothing is known."""
    last, cost, plan = row.uses[-1] if row.uses else None, row.cost, row.asked.plan
    return {
        "job_id": row.asked.job_id,
        "session_id": row.asked.session_id or None,
        "replica_of": row.asked.replica_of or None,
        "successor_of": row.asked.successor_of or None,
        "site": row.asked.site.name,
        "unit": row.asked.site.billing.unit,
        "state": last.state.value if last else None,
        "runs": len(row.uses),
        "elapsed_s": cost.elapsed_s if cost else None,
        "gpu_type": last.gpu_type if last else None,
        "num_gpus": last.gpus if last else None,
        "cores": last.cores if last else None,
        "su": cost.su if cost else None,
        "planned_su_so_far": cost.planned_su_so_far if cost else None,
        "planned_su": plan.su_total if plan else None,
    }
