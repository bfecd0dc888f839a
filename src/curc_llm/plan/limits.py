"""Limits: what a site lets one job have, and which QoS takes it.

CURC's job filter refuses what is checked here before a job is queued (error and status codes, 2026-08-05):
GPUs of a type beyond the QoS's number, more nodes than one, cores beyond those of the GPUs, time outside a
QoS's limits, a GPU type that the partition and QoS don't have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from curc_llm.errors import SiteError
from curc_llm.plan.names import fold, nearest
from curc_llm.plan.node_limit import name_switch
from curc_llm.plan.offer import Offer
from curc_llm.plan.refusal import Refusal, count_gpus, count_hours
from curc_llm.sites.site import Qos, QosLimit, Site


@dataclass(frozen=True)
class Term:
    """The QoS that was chosen, and for how long.

    Args:
        name: the QoS; empty at a site without any.
        hours: wall time in hours.
    """

    name: str
    qos: Qos | None
    hours: float


def allowed_qos(site: Site, offer: Offer) -> dict[str, QosLimit]:
    """The QoS that take this GPU type: those that it names, else all of the site."""
    return dict(offer.gpu.qos) or {name: QosLimit() for name in site.qos}


def max_gpus(site: Site, offer: Offer) -> int:
    """GPUs of this type that one job may have under its most generous QoS."""
    in_nodes = offer.max_nodes * offer.gpus_per_node
    caps = [_cap(limit) for name, limit in allowed_qos(site, offer).items() if name in site.qos]
    return int(min(in_nodes, max(caps, default=math.inf)))


def explain_place(site: Site, offer: Offer, num_gpus: int, num_nodes: int | None) -> Refusal | None:
    """Why a job can't have these GPUs here; None when it can."""
    name = offer.gpu_name
    if offer.card.vendor == "amd":
        reason = f"{offer.card.title} ({name}) is an AMD GPU that vLLM doesn't support."
        return Refusal("place", reason)
    nodes = num_nodes or nodes_for(offer, num_gpus)
    if nodes > offer.max_nodes:
        return Refusal("nodes", _explain_nodes(site, offer, num_gpus, nodes), limit=max_gpus(site, offer))
    if num_gpus > nodes * offer.gpus_per_node:
        reason = (
            f"{nodes} {_plural(nodes, 'node')} of {offer.partition_name} {_plural(nodes, 'has', 'have')} "
            f"{nodes * offer.gpus_per_node} {name}; {num_gpus} were asked for."
        )
        return Refusal("nodes", reason, limit=nodes * offer.gpus_per_node)
    most = max_gpus(site, offer)
    if num_gpus > most:
        reason = f"{site.title} lets one person use {most} {name} at once; {num_gpus} were asked for."
        return Refusal("count", reason, limit=most)
    if num_gpus % nodes:
        reason = f"{num_gpus} GPUs can't be spread evenly over {nodes} nodes."
        return Refusal("nodes", reason, near=() if num_nodes else _whole_nodes(offer, num_gpus))
    return None


def _whole_nodes(offer: Offer, num_gpus: int) -> tuple[int, ...]:
    """The GPUs of whole nodes below and above a number that can't be spread, the nearer first."""
    below = num_gpus // offer.gpus_per_node * offer.gpus_per_node
    above = below + offer.gpus_per_node
    return (below, above) if num_gpus - below <= above - num_gpus else (above, below)


def _explain_nodes(site: Site, offer: Offer, num_gpus: int, nodes: int) -> str:
    most, rule = offer.max_nodes, name_switch(site, offer.partition)
    return (
        f"A GPU job may have {most} {_plural(most, 'node')} of {offer.partition_name}, with "
        f"{offer.gpus_per_node} {offer.gpu_name} each{rule}; {count_gpus(num_gpus, offer.gpu_name)} on "
        f"{nodes} {_plural(nodes, 'node')} were asked for."
    )


def nodes_for(offer: Offer, num_gpus: int) -> int:
    """The fewest nodes that hold so many GPUs, each as many; the fewest at all where none are even."""
    fewest = math.ceil(num_gpus / offer.gpus_per_node)
    even = (n for n in range(fewest, min(offer.max_nodes, num_gpus) + 1) if num_gpus % n == 0)
    return next(even, fewest)


def find_qos(wanted: str, site: Site) -> str:
    """The site's QoS of that name.

    Raises:
        SiteError: there is none; names the nearest.
    """
    found = next((name for name in site.qos if fold(name) == fold(wanted)), None)
    if found is None:
        raise SiteError(f"{site.title} has no QoS {wanted!r}.", nearest(wanted, site.qos))
    return found


def choose_term(
    site: Site,
    offer: Offer,
    num_gpus: int,
    *,
    hours: float | None,
    default_hours: float,
    wanted: str | None,
    uses_tests: bool = False,
) -> Term | Refusal:
    """The QoS for a job: the shortest that takes it; one for tests only when asked for, or alone.

    Args:
        site: the centre.
        offer: the GPU type.
        num_gpus: GPUs of the job.
        hours: wall time that was asked for; None: default_hours, less where no QoS takes them.
        default_hours: wall time when none was asked for.
        wanted: the QoS that was asked for.
        uses_tests: True where a test QoS will do, because of the preset.
    """
    if not site.qos:
        return Term("", None, hours or default_hours)
    names = _in_order(site, offer, uses_tests) if wanted is None else [find_qos(wanted, site)]
    limits = allowed_qos(site, offer)
    if wanted is not None and names[0] not in limits:
        reason = f"The QoS {names[0]} doesn't take {offer.gpu_name} in {offer.partition_name}."
        return Refusal(
            "qos", f"{reason[:-1]}; {_and(list(limits)) or 'none'} {_plural(len(limits), 'does', 'do')}."
        )
    takers = [name for name in names if num_gpus <= _cap(limits[name])]
    if not takers:
        return _refuse_count(names, limits, offer, num_gpus)
    time = default_hours if hours is None else hours
    for name in takers:
        if site.qos[name].min_time_h <= time <= site.qos[name].max_time_h:
            return Term(name, site.qos[name], time)
    if hours is None:
        name = takers[0]
        return Term(
            name, site.qos[name], min(max(time, site.qos[name].min_time_h), site.qos[name].max_time_h)
        )
    return _refuse_hours(site, offer, num_gpus, time, takers)


def _in_order(site: Site, offer: Offer, uses_tests: bool) -> list[str]:
    known = [name for name in allowed_qos(site, offer) if name in site.qos]
    for_work = [name for name in known if not site.qos[name].is_for_tests]
    chosen = known if uses_tests else for_work or known
    return sorted(chosen, key=lambda name: (site.qos[name].max_time_h, name))


def _refuse_count(names: list[str], limits: dict[str, QosLimit], offer: Offer, num_gpus: int) -> Refusal:
    if not names:
        return Refusal("qos", f"No QoS of the site takes {offer.gpu_name} in {offer.partition_name}.")
    most = max(names, key=lambda name: _cap(limits[name]))
    cap = int(_cap(limits[most]))
    reason = f"The QoS {most} gives one person {cap} {offer.gpu_name} at once; {num_gpus} were asked for."
    return Refusal("count", reason, limit=cap)


def _refuse_hours(site: Site, offer: Offer, num_gpus: int, hours: float, takers: list[str]) -> Refusal:
    gpus = count_gpus(num_gpus, offer.gpu_name)
    longest = max(takers, key=lambda name: site.qos[name].max_time_h)
    limit = site.qos[longest].max_time_h
    if hours > limit:
        rest = [n for n in allowed_qos(site, offer) if n in site.qos and site.qos[n].max_time_h >= hours]
        also = f"; {rest[0]} takes fewer GPUs" if rest and rest[0] not in takers else ""
        most = f"{count_hours(limit)} at most (QoS {longest}{also})"
        reason = f"{gpus} may run {most}; {count_hours(hours)} were asked for."
        return Refusal("hours", reason, limit=limit)
    shortest = min(takers, key=lambda name: site.qos[name].min_time_h)
    least = site.qos[shortest].min_time_h
    asked = f"{count_hours(hours)} were asked for"
    reason = f"The QoS {shortest} takes jobs of {count_hours(least)} and more; {asked}."
    return Refusal("hours", reason, limit=least)


def _cap(limit: QosLimit) -> float:
    caps = [cap for cap in (limit.max_gpus_per_user, limit.max_gpus_in_qos) if cap is not None]
    return min(caps, default=math.inf)


def _plural(number: int, one: str, many: str = "") -> str:
    return one if number == 1 else many or f"{one}s"


def _and(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
