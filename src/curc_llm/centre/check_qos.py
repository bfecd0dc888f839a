"""The site file's QoS against Slurm's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from curc_llm.centre.finding import Finding, compare
from curc_llm.centre.slurm_facts import SlurmFacts, parse_number, parse_tres, parse_wall_h
from curc_llm.sites.lookup import list_gpus
from curc_llm.sites.site import Qos, Site

# Our name of a limit on a GPU type → Slurm's field.
LIMITS = {"max_gpus_per_user": "MaxTRESPU", "max_gpus_in_qos": "GrpTRES"}


def check_qos(site: Site, facts: SlurmFacts) -> Iterator[Finding]:
    """Every QoS: times, price, jobs, and how many GPUs of each type."""
    for name, qos in site.qos.items():
        subject = f"QoS {name}"
        values = facts.qos.get(name)
        if values is None:
            known = ", ".join(sorted(facts.qos)) or "none"
            yield Finding(
                subject, "is there", "differs", name, "no such QoS", f"Slurm has: {known}. Mend it."
            )
            continue
        yield from _check_one(subject, qos, values)
        yield from _check_gpu_limits(subject, name, values, site)


def _check_one(subject: str, qos: Qos, values: Mapping[str, str]) -> Iterator[Finding]:
    yield compare(subject, "max_time_h", qos.max_time_h, parse_wall_h(values["MaxWall"]))
    yield compare(subject, "billing_factor", qos.billing_factor, parse_number(values["UsageFactor"]))
    limits = [parse_number(values[field]) for field in ("MaxJobsPU", "MaxSubmitPU")]
    found = [limit for limit in limits if limit is not None]
    most = qos.max_jobs_per_user if qos.max_jobs_per_user in found else min(found, default=None)
    yield compare(subject, "max_jobs_per_user", qos.max_jobs_per_user, most)


def _check_gpu_limits(subject: str, name: str, values: Mapping[str, str], site: Site) -> Iterator[Finding]:
    for ours, field in LIMITS.items():
        there = parse_tres(values[field])
        for gpu in list_gpus(site):
            limit = gpu.gpu_type.qos.get(name)
            if limit is None:
                continue
            found = there.get(f"gres/{gpu.gres}".lower())
            yield compare(subject, f"{ours} of {gpu.name}", getattr(limit, ours), found)
