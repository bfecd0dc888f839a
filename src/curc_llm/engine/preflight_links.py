"""What was measured between the nodes becomes findings and figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curc_llm.engine.link_probe import Links
from curc_llm.engine.node_facts import NodeFacts
from curc_llm.session.preflight import PreflightFinding
from curc_llm.sites.network import Network

MOST_CLOCK_SKEW_S = 5.0
NETWORK_REMEDY = "Name the network that joins them: `interface` under `network` in the site file."


def judge_links(facts: Sequence[NodeFacts], links: Mapping[int, Links]) -> tuple[PreflightFinding, ...]:
    """Nodes that don't reach each other.

    Args:
        facts: of each node, in the job's order.
        links: what each one found out, by its place; a node that told nothing is left out.
    """
    findings = []
    for rank, node in enumerate(facts):
        found = links.get(rank)
        if found is None:
            message = f"{node.node} told nothing of its way to the other nodes."
            findings.append(_apart(message, node.node))
            continue
        for other, why in found.errors.items():
            peer = facts[other]
            message = (
                f"{node.node} ({node.interface}, {node.address}) can't reach {peer.node} ({peer.interface}, "
                f"{peer.address}): {why}."
            )
            findings.append(_apart(message, node.node, peer.node))
    return tuple(findings)


def judge_reduce(
    facts: Sequence[NodeFacts], told: Mapping[int, Mapping[str, Any]]
) -> tuple[PreflightFinding, ...]:
    """An all-reduce that failed, or took too long. One that no node told anything of wasn't tried.

    Args:
        facts: of each node, in the job's order.
        told: by place `gb_per_s` or `error`.
    """
    failed = {rank: str(result["error"]) for rank, result in told.items() if result.get("error")}
    if not failed:
        return ()
    rank, why = min(failed.items())
    is_late = all(told[r].get("is_late") for r in failed)
    message = f"The nodes could not add up a tensor together; {facts[rank].node} said: {why.rstrip('.')}."
    remedy = "See what NCCL says: `nccl_debug: INFO` under `network` in the site file. " + NETWORK_REMEDY
    nodes = tuple(facts[r].node for r in failed)
    found = PreflightFinding(
        code="all_reduce", is_fatal=not is_late, message=message, remedy=remedy, nodes=nodes
    )
    return (found,)


def judge_speed(
    network: Network, facts: Sequence[NodeFacts], figures: Mapping[str, float]
) -> tuple[PreflightFinding, ...]:
    """A network slower than the site says: by the all-reduce between GPUs, else by what TCP carries."""
    is_by_gpu = bool(facts and facts[0].gpus) and "all_reduce_gb_per_s" in figures
    measured = figures.get("all_reduce_gb_per_s" if is_by_gpu else "link_gb_per_s")
    if network.min_gb_per_s is None or measured is None or measured >= network.min_gb_per_s:
        return ()
    what = "The all-reduce" if is_by_gpu else "The slowest link"
    message = (
        f"{what} between the nodes reached {measured:.2f} GB/s; the site file says at least "
        f"{network.min_gb_per_s:g}."
    )
    remedy = (
        "The model will answer more slowly. Is it the right interface? Is somebody else's job on the way?"
    )
    return (PreflightFinding(code="slow_network", is_fatal=False, message=message, remedy=remedy),)


def judge_clocks(facts: Sequence[NodeFacts], received_s: Sequence[float]) -> tuple[PreflightFinding, ...]:
    """Clocks that differ: times in logs can't be compared then, and keys end early or late.

    Args:
        facts: with the time at which each node told them.
        received_s: the times at which these came, all by one clock.
    """
    ahead = {node.node: node.clock_s - at_s for node, at_s in zip(facts, received_s, strict=True)}
    if not ahead or max(ahead.values()) - min(ahead.values()) <= MOST_CLOCK_SKEW_S:
        return ()
    first, last = max(ahead, key=lambda n: ahead[n]), min(ahead, key=lambda n: ahead[n])
    message = f"The clock of {first} is {ahead[first] - ahead[last]:.0f} s ahead of that of {last}."
    remedy = "Tell your centre: times in logs can't be compared, and keys end early or late."
    return (
        PreflightFinding(
            code="clocks_differ", is_fatal=False, message=message, remedy=remedy, nodes=(first, last)
        ),
    )


def list_figures(links: Mapping[int, Links], told: Mapping[int, Mapping[str, Any]]) -> dict[str, float]:
    """The slowest of what was measured, units in the names."""
    latencies = [ms for found in links.values() for ms in found.latency_ms.values()]
    speeds = [found.gb_per_s for found in links.values() if found.gb_per_s is not None]
    reduces = [float(result["gb_per_s"]) for result in told.values() if "gb_per_s" in result]
    values = {
        "latency_ms": max(latencies, default=None),
        "link_gb_per_s": min(speeds, default=None),
        "all_reduce_gb_per_s": min(reduces, default=None),
    }
    return {name: value for name, value in values.items() if value is not None}


def _apart(message: str, *nodes: str) -> PreflightFinding:
    return PreflightFinding(
        code="nodes_apart", is_fatal=True, message=message, remedy=NETWORK_REMEDY, nodes=nodes
    )
