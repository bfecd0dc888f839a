"""Grants: the GPUs, nodes, QoS and hours that a site gives to a request."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.plan.candidates import make_counts
from curc_llm.plan.facts import Facts
from curc_llm.plan.host import explain_cores
from curc_llm.plan.limits import Term, choose_term, explain_place, find_qos, nodes_for
from curc_llm.plan.offer import Offer, find_offers
from curc_llm.plan.refusal import Refusal
from curc_llm.plan.replicas import count_replicas, explain_replicas
from curc_llm.plan.request import PlanRequest
from curc_llm.plan.wants import Wants


@dataclass(frozen=True, eq=False)
class Grant:
    """What one job may have.

    Args:
        offer: the GPU type.
        num_gpus: of the whole job, or of each replica.
        num_nodes: nodes that have them.
        term: QoS and hours.
    """

    offer: Offer
    num_gpus: int
    num_nodes: int
    term: Term


def choose_offers(request: PlanRequest, wants: Wants, facts: Facts) -> tuple[Offer, ...] | Refusal:
    """The GPU types that a request leaves open.

    Unasked, none that need permission or another engine, and none that only a test QoS takes.
    """
    offers = find_offers(facts.offers, facts.site, request.partition, request.gpu_type)
    if not offers:
        return _explain_mismatch(request, facts)
    if request.gpu_type or request.qos:
        return offers
    usual = offers if request.partition else tuple(offer for offer in offers if offer.is_free_choice)
    for_work = tuple(o for o in usual if wants.preset.uses_test_qos or _is_for_work(o, facts))
    return for_work or usual or offers


def list_grants(
    offer: Offer, request: PlanRequest, wants: Wants, facts: Facts
) -> tuple[list[Grant], list[Refusal]]:
    """What the site gives of one GPU type, the fewest GPUs first, and why it gives no other."""
    if request.qos is not None and facts.site.qos:
        find_qos(request.qos, facts.site)
    grants: list[Grant] = []
    refusals: list[Refusal] = []
    for num_gpus in make_counts(facts.site, offer, request):
        answer = _grant(offer, num_gpus, request, wants, facts)
        if isinstance(answer, Refusal):
            refusals.append(answer)
        else:
            grants.append(answer)
    return grants, refusals


def _grant(offer: Offer, num_gpus: int, request: PlanRequest, wants: Wants, facts: Facts) -> Grant | Refusal:
    num_nodes = request.num_nodes or nodes_for(offer, num_gpus)
    count = count_replicas(request)
    refusal = (
        explain_place(facts.site, offer, num_gpus, request.num_nodes)
        or explain_replicas(facts.site, offer, num_gpus, request)
        or explain_cores(offer, max(1, count * num_gpus // num_nodes), request.cpus_per_task)
    )
    if refusal is not None:
        return refusal
    term = choose_term(
        facts.site,
        offer,
        count * num_gpus,
        hours=request.hours,
        default_hours=wants.default_hours,
        wanted=request.qos,
        uses_tests=wants.preset.uses_test_qos,
    )
    return term if isinstance(term, Refusal) else Grant(offer, num_gpus, num_nodes, term)


def _explain_mismatch(request: PlanRequest, facts: Facts) -> Refusal:
    homes = find_offers(facts.offers, facts.site, None, request.gpu_type)
    if not homes:
        return Refusal("place", f"{facts.site.title} has no GPUs.")
    names = " and ".join(dict.fromkeys(offer.partition_name for offer in homes))
    name = homes[0].gpu_name
    return Refusal("place", f"The partition {request.partition} has no {name}: that is in {names}.")


def _is_for_work(offer: Offer, facts: Facts) -> bool:
    known = [facts.site.qos[name] for name in offer.gpu.qos if name in facts.site.qos]
    return not known or any(not qos.is_for_tests for qos in known)
