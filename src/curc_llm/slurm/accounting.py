"""Accounting: what jobs held and for how long, as sacct says, and what that costs in service units."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from curc_llm.plan.cost import su_per_h
from curc_llm.plan.plan import Plan
from curc_llm.sites.lookup import list_gpus
from curc_llm.sites.site import GpuType, Site
from curc_llm.slurm.command import Slurm, check_job_id
from curc_llm.slurm.state import JobState, parse_state

_FORMAT = "JobIDRaw,State,ElapsedRaw,Partition,QOS,AllocTRES"


@dataclass(frozen=True)
class JobUse:
    """What a job held in one of its runs.

    Args:
        state: how the run ended, or how it is doing.
        elapsed_s: seconds that it ran.
        cores: of all nodes together. gpus: likewise.
        gpu_type: Slurm's name; empty when it isn't accounted for by type.
    """

    job_id: str
    state: JobState
    elapsed_s: int
    partition: str
    qos: str
    cores: int
    gpus: int
    gpu_type: str = ""


@dataclass(frozen=True)
class JobCost:
    """What a job has cost, beside what was planned.

    Args:
        su: service units so far, over all runs of a job that was requeued; None where it held GPUs that the
            site's file doesn't know.
        elapsed_s: seconds that all runs took.
        planned_su: of the whole wall time; None without a plan.
        planned_su_so_far: of the plan for the seconds that the job ran; None without a plan.
    """

    su: float | None
    elapsed_s: int
    planned_su: float | None = None
    planned_su_so_far: float | None = None


def ask_use(slurm: Slurm, job_ids: Iterable[str]) -> dict[str, tuple[JobUse, ...]]:
    """What sacct knows of jobs: each run, the first first. One question for all; unknown jobs are left out.

    Raises:
        SlurmError: sacct isn't here, or an id isn't one.
        SlurmSilentError: no answer in time.

    Example:
        >>> ask_use(Slurm(), ["12345"])["12345"][0].elapsed_s
        3600
    """
    ids = [check_job_id(job_id) for job_id in job_ids]
    if not ids:
        return {}
    options = ("--noheader", "--parsable2", "--allocations", "--duplicates", f"--format={_FORMAT}")
    uses = parse_use(slurm.query("sacct", *options, f"--jobs={','.join(ids)}"))
    return {job_id: found for job_id in ids if (found := tuple(u for u in uses if u.job_id == job_id))}


def parse_use(text: str) -> tuple[JobUse, ...]:
    """The lines of sacct; what isn't one is left out.

    Example:
        >>> line = "7|COMPLETED|3600|al40|gpu-normal|billing=114,cpu=6,gres/gpu:l40=1,gres/gpu=1,mem=15G"
        >>> use = parse_use(line)[0]
        >>> use.cores, use.gpus, use.gpu_type
        (6, 1, 'l40')
    """
    uses = (_parse_line(line.split("|")) for line in text.splitlines())
    return tuple(use for use in uses if use is not None)


def _parse_line(fields: list[str]) -> JobUse | None:
    if len(fields) != 6 or not _is_number(fields[0]) or not _is_number(fields[2]):
        return None
    tres = dict(part.partition("=")[::2] for part in fields[5].split(",") if part)
    typed = {name.removeprefix("gres/gpu:"): tres[name] for name in tres if name.startswith("gres/gpu:")}
    return JobUse(
        job_id=fields[0],
        state=parse_state(fields[1]),
        elapsed_s=int(fields[2]),
        partition=fields[3],
        qos=fields[4],
        cores=_number(tres.get("cpu", "")),
        gpus=_number(tres.get("gres/gpu", "")) or sum(_number(count) for count in typed.values()),
        gpu_type=next(iter(typed)) if len(typed) == 1 else "",
    )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,18}", text) is not None


def _number(text: str) -> int:
    return int(text) if _is_number(text) else 0


def count_cost(uses: tuple[JobUse, ...], site: Site, plan: Plan | None = None) -> JobCost:
    """Service units of a job: what it held, times hours, as the site counts (see `plan.cost.su_per_h`).

    Args:
        uses: the job's runs.
        site: whose weights count.
        plan: what was planned, to compare.
    """
    elapsed_s = sum(use.elapsed_s for use in uses)
    rate = plan.su_per_h if plan is not None else None
    costs = [_su(use, site, plan) for use in uses]
    return JobCost(
        su=sum(cost for cost in costs if cost is not None) if None not in costs else None,
        elapsed_s=elapsed_s,
        planned_su=plan.su_total if plan is not None else None,
        planned_su_so_far=None if rate is None else rate * elapsed_s / 3600,
    )


def _su(use: JobUse, site: Site, plan: Plan | None) -> float | None:
    qos, hours = site.qos.get(use.qos), use.elapsed_s / 3600
    if not use.gpus:
        return site.billing.su_per_core_h * use.cores * (qos.billing_factor if qos else 1.0) * hours
    gpu = _find_type(use, site, plan)
    if gpu is None:
        return None
    return su_per_h(site.billing, qos, gpu, num_gpus=use.gpus, cores=use.cores) * hours


def _find_type(use: JobUse, site: Site, plan: Plan | None) -> GpuType | None:
    """The job's GPU type: as accounted; else as planned; else the partition's only one."""
    here = [gpu for gpu in list_gpus(site) if gpu.partition_name == use.partition]
    by_gres = [gpu for gpu in here if use.gpu_type and gpu.gres == f"gpu:{use.gpu_type}"]
    by_plan = [gpu for gpu in here if plan is not None and gpu.name == plan.gpu_type]
    for found in (by_gres, by_plan, here if len(here) == 1 else []):
        if found:
            return found[0].gpu_type
    return None
