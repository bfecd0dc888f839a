"""The refusal of a whole site, where no GPU type was asked for: none is blamed that nobody named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from curc_llm.plan.node_limit import name_switch
from curc_llm.plan.offer import Offer
from curc_llm.plan.refusal import Kind, Refusal, count_hours, first_of
from curc_llm.plan.request import PlanRequest, all_gpus
from curc_llm.sites.site import Site

_TOO_MANY: tuple[Kind, ...] = ("nodes", "count")


def refuse_everywhere(
    refusals: Sequence[Refusal], request: PlanRequest, site: Site, offers: Sequence[Offer]
) -> Refusal:
    """One refusal for all GPU types of a site: what the most generous of them allows.

    Where memory or weights are in the way, the arithmetic of the GPUs that come nearest is told.

    Args:
        refusals: why each launch doesn't work; at least one.
        request: what was asked; it names no GPU type.
        site: the centre.
        offers: its GPU types.

    Example:
        >>> refuse_everywhere(found, PlanRequest(model="m", hours=169), alpine, offers).reason
        'At CURC Alpine a GPU job may run 168 h at most; 169 h were asked for.'
    """
    nearest = first_of(refusals)
    kinds = _TOO_MANY if nearest.kind in _TOO_MANY else (nearest.kind,)
    limits = [r.limit for r in refusals if r.kind in kinds and r.limit is not None]
    most = max(limits, default=None)
    is_told = nearest.kind == "load"  # names no GPU type
    reason = nearest.reason if is_told else _explain(nearest.kind, request, site, offers, most)
    if reason:
        return replace(nearest, reason=reason, limit=most)
    return replace(nearest, reason=f"No GPU type at {site.title} will do: {nearest.reason}")


def _explain(
    kind: Kind, request: PlanRequest, site: Site, offers: Sequence[Offer], most: float | None
) -> str:
    """The sentence for a limit of the site; empty where GPUs have to be named."""
    if kind == "qos":
        return f"The QoS {request.qos} of {site.title} takes no such job."
    if kind == "share" and request.gpu_memory_utilization is not None:
        share = f"gpu_memory_utilization {request.gpu_memory_utilization:g}"
        return f"{share} leaves too little of every GPU of {site.title} to CUDA and other libraries."
    if most is None:
        return ""
    if kind in _TOO_MANY:
        return _explain_count(request, site, offers, int(most))
    job = _name_job(request)
    if kind == "hours" and request.hours is not None and request.hours > most:
        qos = f" under the QoS {request.qos}" if request.qos else ""
        limit = f"{count_hours(most)} at most{qos}"
        return f"At {site.title} {job} may run {limit}; {count_hours(request.hours)} were asked for."
    if kind == "cores" and request.cpus_per_task is not None:
        cores = f"{int(most):,} cores on a node at most; {request.cpus_per_task:,} were asked for."
        return f"At {site.title} {job} may have {cores}"
    return ""


def _explain_count(request: PlanRequest, site: Site, offers: Sequence[Offer], most_gpus: int) -> str:
    most_nodes = max(offer.max_nodes for offer in offers)
    if request.num_nodes is not None and request.num_nodes > most_nodes:
        nodes = "1 node" if most_nodes == 1 else f"{most_nodes:,} nodes"
        rule = name_switch(site, max(offers, key=lambda offer: offer.max_nodes).partition)
        return f"At {site.title} a GPU job may have {nodes}{rule}; {request.num_nodes:,} were asked for."
    num_gpus = all_gpus(request)
    if num_gpus is not None and num_gpus > most_gpus:
        gpus = f"{most_gpus:,} GPUs of one type at most; {num_gpus:,} were asked for."
        return f"At {site.title} a job may have {gpus}"
    return ""


def _name_job(request: PlanRequest) -> str:
    if request.num_gpus is None:
        return "a GPU job"
    return "a job with 1 GPU" if request.num_gpus == 1 else f"a job with {request.num_gpus} GPUs"
