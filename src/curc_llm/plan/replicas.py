"""Replicas: several engines of one model in one job, on one node, each with GPUs of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from curc_llm.errors import PlanError
from curc_llm.plan.limits import max_gpus
from curc_llm.plan.offer import Offer
from curc_llm.plan.refusal import Refusal, count_gpus
from curc_llm.plan.request import PlanRequest
from curc_llm.sites.site import Site


def check_replicas(request: PlanRequest) -> None:
    """Raises PlanError for replicas of what can't have any.

    Args:
        request: what was asked.
    """
    if count_replicas(request) > 1 and request.embed is not None:
        raise PlanError(
            "Replicas are engines of one model; --embed puts another model beside it.",
            "Launch them without --replicas, or each model as a session of its own.",
        )


def count_replicas(request: PlanRequest) -> int:
    """Engines of the model that are asked for.

    Example:
        >>> count_replicas(PlanRequest(model="m")), count_replicas(PlanRequest(model="m", replicas=3))
        (1, 3)
    """
    return request.replicas or 1


def explain_replicas(site: Site, offer: Offer, num_gpus: int, request: PlanRequest) -> Refusal | None:
    """Why one node can't have the GPUs of all replicas; None when it can.

    Args:
        site: the centre.
        offer: the GPU type.
        num_gpus: of each replica.
        request: says how many replicas.
    """
    count = count_replicas(request)
    if count == 1:
        return None
    if (request.num_nodes or 1) > 1:
        reason = f"Replicas share one node; {request.num_nodes} nodes were asked for."
        return Refusal("replicas", reason)
    most = min(offer.gpus_per_node, max_gpus(site, offer))
    if num_gpus * count <= most:
        return None
    each = f"{count} replicas with {count_gpus(num_gpus, offer.gpu_name)} each"
    reason = (
        f"{each} need {num_gpus * count} GPUs on one node of {offer.partition_name}; a job may have {most}."
    )
    return Refusal("replicas", reason)


def refuse_replicas(refusal: Refusal, request: PlanRequest, site: Site) -> Refusal:
    """The refusal of replicas of a model that fits alone.

    Args:
        refusal: why so many aren't given where one is best.
        request: what was asked.
        site: the centre.
    """
    if request.gpu_type or request.partition or (request.num_nodes or 1) > 1:
        return replace(refusal, kind="replicas")
    reason = f"{refusal.reason[:-1]}, and no other GPU type of {site.title} has room for them."
    return replace(refusal, kind="replicas", reason=reason)


def fewer_replicas(request: PlanRequest) -> Iterator[dict[str, int | None]]:
    """Changes of a request, with ever fewer replicas; the last is one engine alone."""
    for count in range(count_replicas(request) - 1, 0, -1):
        yield {"replicas": count if count > 1 else None}


def describe_replicas(asked: PlanRequest, exact: PlanRequest) -> list[str]:
    """How many replicas an alternative has, where it isn't what was asked."""
    count, wanted = count_replicas(exact), count_replicas(asked)
    if count == wanted:
        return []
    return [f"1 engine instead of {wanted}" if count == 1 else f"{count} replicas instead of {wanted}"]
