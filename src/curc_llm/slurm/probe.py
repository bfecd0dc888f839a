"""Probe: the smallest job on a kind of GPU, to ask Slurm when one would start."""

from __future__ import annotations

from curc_llm.errors import PlanError
from curc_llm.plan.limits import choose_term, explain_place, nodes_for
from curc_llm.plan.offer import Offer
from curc_llm.plan.refusal import Refusal
from curc_llm.sites.site import Site
from curc_llm.slurm.request import JobRequest

# What the smallest session takes of a node; more cores or memory hardly ever decide when a GPU job starts.
_CORES = 4
_MEMORY_GIB = 12


def make_probe(
    site: Site, offer: Offer, num_gpus: int, *, hours: float | None, default_hours: float, account: str = ""
) -> JobRequest:
    """A job with so many GPUs of a kind and little else.

    Args:
        site: the centre.
        offer: the kind of GPU.
        num_gpus: of the whole job.
        hours: wall time; None: default_hours, or what the QoS allows.
        default_hours: wall time when none was asked for.
        account: whom it would be charged to; empty: the caller's default.

    Raises:
        PlanError: the site lets no job have these GPUs for that time.

    Example:
        >>> make_probe(site, offer, 2, hours=None, default_hours=4).gres
        'gpu:l40:2'
    """
    term = explain_place(site, offer, num_gpus, None) or choose_term(
        site, offer, num_gpus, hours=hours, default_hours=default_hours, wanted=None
    )
    if isinstance(term, Refusal):
        raise PlanError(term.reason)
    nodes, gpu = nodes_for(offer, num_gpus), offer.gpu
    most_gib = int(gpu.max_memory_per_gpu_gib or _MEMORY_GIB)
    return JobRequest(
        job_name="curc-llm",
        partition=offer.partition_name,
        qos=term.name,
        account=account,
        num_nodes=nodes,
        cpus_per_task=min(_CORES, gpu.max_cores_per_gpu),
        gres_type="" if gpu.gres_type == "-" else gpu.gres_type or offer.gpu_name,
        gpus_per_node=num_gpus // nodes,
        memory_gib=min(_MEMORY_GIB, most_gib),
        time_s=int(term.hours * 3600),
    )
