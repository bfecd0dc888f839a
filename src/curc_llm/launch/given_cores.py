"""The cost of a job by the cores that Slurm gave it, which may be more than its plan asks for."""

from __future__ import annotations

from collections.abc import Mapping

from curc_llm.errors import CurcLlmError
from curc_llm.plan.cost import su_per_h
from curc_llm.plan.plan import Plan
from curc_llm.sites.lookup import find_gpu
from curc_llm.sites.site import Site
from curc_llm.spec import LaunchSpec, Origin


def bill_given_cores(spec: LaunchSpec, site: Site, environ: Mapping[str, str]) -> LaunchSpec:
    """The spec with what its plans will really cost. The form asks for a model of your own with more cores.

    Args:
        spec: planned for the site.
        site: has the prices.
        environ: the job's environment; SLURM_CPUS_ON_NODE counts. Unchanged outside a job.

    Example:
        >>> bill_given_cores(spec, site, {"SLURM_CPUS_ON_NODE": "11"}).origins[0].plan.cpus
        11
    """
    given = environ.get("SLURM_CPUS_ON_NODE", "")
    if not given.isdecimal():
        return spec
    # The first engine's plan has the cost of the whole job.
    origins = (*(_bill(origin, site, int(given)) for origin in spec.origins[:1]), *spec.origins[1:])
    return spec.model_copy(update={"origins": origins})


def _bill(origin: Origin, site: Site, cpus: int) -> Origin:
    plan = origin.plan
    if plan is None or not plan.fits or plan.cpus == cpus:
        return origin
    return origin.model_copy(update={"plan": _with_cost(plan, site, cpus)})


def _with_cost(plan: Plan, site: Site, cpus: int) -> Plan:
    try:
        gpu = find_gpu(site, plan.gpu_type, plan.partition).gpu_type
    except CurcLlmError:
        return plan
    cores = cpus * (plan.num_nodes or 1)
    num_gpus = (plan.num_gpus or 0) * plan.replicas
    rate = su_per_h(site.billing, site.qos.get(plan.qos), gpu, num_gpus=num_gpus, cores=cores)
    return plan.model_copy(update={"cpus": cpus, "su_per_h": rate, "su_total": rate * (plan.hours or 0)})
