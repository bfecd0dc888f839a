"""The number of nodes that a site lets one GPU job have: where it is set, what it stands in the way of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from curc_llm.plan.facts import Facts
from curc_llm.plan.plan import Plan
from curc_llm.plan.request import PlanRequest
from curc_llm.sites.load import LOCAL
from curc_llm.sites.site import Partition, Site

SWITCH = "`max_nodes_per_job` in its site file"


def name_switch(site: Site, partition: Partition) -> str:
    """Where a limit on nodes comes from, in brackets; empty where there are just no more nodes.

    Example:
        >>> name_switch(load_site("alpine"), load_site("alpine").partitions["al40"])
        ' (the rule is `max_nodes_per_job` in its site file)'
    """
    is_rule = partition.max_nodes_per_job is not None and site.name != LOCAL
    return f" (the rule is {SWITCH})" if is_rule else ""


def tell_what_nodes_would_give(
    refused: Plan, facts: Facts, make_plan: Callable[[PlanRequest, Facts], Plan]
) -> Plan:
    """The refusal with what would fit over several nodes, where only the site's rule stands in the way.

    Args:
        refused: a plan that doesn't fit.
        facts: of the site.
        make_plan: works a request out with other facts.
    """
    site = facts.site
    limits = [p.max_nodes_per_job for p in site.partitions.values() if p.max_nodes_per_job is not None]
    if not limits or site.name == LOCAL:
        return refused
    without = {
        name: partition.model_copy(update={"max_nodes_per_job": None})
        for name, partition in site.partitions.items()
    }
    lifted = replace(facts, site=site.model_copy(update={"partitions": without}), worked_out={})
    plan = make_plan(refused.request, lifted)
    if not plan.fits or (plan.num_nodes or 1) < 2:
        return refused
    most = site.partitions[plan.partition].max_nodes_per_job
    nodes = "1 node" if most == 1 else f"{most} nodes"
    more = (
        f" {plan.num_gpus} x {plan.gpu_type} on {plan.num_nodes} nodes would do, but {site.title} lets a GPU "
        f"job have {nodes} of {plan.partition} ({SWITCH})."
    )
    return refused.model_copy(update={"reason": refused.reason + more})
