"""Accounting: what a job has cost in service units, from what sacct says it held and for how long."""

from __future__ import annotations

import re
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
        su: service units so far, over all runs of a job that was requeued.
        elapsed_s: seconds that all runs took.
        planned_su: of the whole wall time; None without a plan.
        planned_su_so_far: of the plan for the seconds that the job ran; None without a plan.
    """

    su: float
    elapsed_s: int
    planned_su: float | None = None
    planned_su_so_far: float | None = None


def ask_use(slurm: Slurm, job_id: str) -> tuple[JobUse, ...]:
    """What sacct knows of a job: each run, the first first. Empty when it knows none.

    Raises:
        SlurmError: sacct isn't here, or the id isn't one.
        SlurmSilentError: no answer in time.
    """
    options = ("--noheader", "--parsable2", "--allocations", "--duplicates", f"--format={_FORMAT}")
    return parse_use(slurm.query("sacct", *options, f"--jobs={check_job_id(job_id)}"))


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
    if len(fields) != 6 or not fields[0].isdigit() or not fields[2].isdigit():
        return None
    tres = dict(part.partition("=")[::2] for part in fields[5].split(",") if part)
    typed = [
        (name.removeprefix("gres/gpu:"), count)
        for name, count in tres.items()
        if name.startswith("gres/gpu:")
    ]
    return JobUse(
        job_id=fields[0],
        state=parse_state(fields[1]),
        elapsed_s=int(fields[2]),
        partition=fields[3],
        qos=fields[4],
        cores=_number(tres.get("cpu", "")),
        gpus=_number(tres.get("gres/gpu", "")) or sum(_number(count) for _, count in typed),
        gpu_type=typed[0][0] if len(typed) == 1 else "",
    )


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,9}", text) else 0


def count_cost(uses: tuple[JobUse, ...], site: Site, plan: Plan | None = None) -> JobCost:
    """Service units of a job: what it held, times hours, as the site counts (see `plan.cost.su_per_h`).

    Args:
        uses: the job's runs.
        site: whose weights count.
        plan: what was planned, to compare.
    """
    elapsed_s = sum(use.elapsed_s for use in uses)
    rate = plan.su_per_h if plan is not None else None
    return JobCost(
        su=sum(_su(use, site, plan) for use in uses),
        elapsed_s=elapsed_s,
        planned_su=plan.su_total if plan is not None else None,
        planned_su_so_far=None if rate is None else rate * elapsed_s / 3600,
    )


def _su(use: JobUse, site: Site, plan: Plan | None) -> float:
    gpu = _find_type(use, site, plan)
    if gpu is None:
        return 0.0
    rate = su_per_h(site.billing, site.qos.get(use.qos), gpu, num_gpus=use.gpus, cores=use.cores)
    return rate * use.elapsed_s / 3600


def _find_type(use: JobUse, site: Site, plan: Plan | None) -> GpuType | None:
    """The job's GPU type: as accounted; else as planned; else the partition's only one."""
    here = [gpu for gpu in list_gpus(site) if gpu.partition_name == use.partition]
    by_gres = [gpu for gpu in here if use.gpu_type and gpu.gres == f"gpu:{use.gpu_type}"]
    by_plan = [gpu for gpu in here if plan is not None and gpu.name == plan.gpu_type]
    for found in (by_gres, by_plan, here if len(here) == 1 else []):
        if found:
            return found[0].gpu_type
    return None
