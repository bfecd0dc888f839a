"""Near counts: numbers of GPUs and nodes that a site does give, near those that it doesn't."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from curc_llm.plan.candidates import MOST_GPUS
from curc_llm.plan.refusal import Refusal, count_gpus
from curc_llm.plan.request import PlanRequest
from curc_llm.plan.search import Found

Patch = dict[str, Any]

ANY_LAYOUT: Patch = {
    "tensor_parallel_size": None,
    "pipeline_parallel_size": None,
    "data_parallel_size": None,
}


def list_near_counts(request: PlanRequest, refusal: Refusal) -> Iterator[Patch]:
    """Changes of GPUs and nodes, the nearest first: on as many nodes as were asked for, where that can be.

    Args:
        request: what was asked.
        refusal: of kind `nodes` or `count`; its limit is the most GPUs that can be had, where that is known.
    """
    limit, nodes = int(refusal.limit or 0), request.num_nodes
    if nodes is not None and request.num_gpus is not None and refusal.kind == "nodes":
        yield {"num_nodes": None}
    for num_gpus in _spread_evenly(request, limit):
        yield {"num_gpus": num_gpus, **ANY_LAYOUT}
    fewer = (limit,) if 0 < limit < (request.num_gpus or math.inf) else ()
    for num_gpus in refusal.near or fewer:
        yield {"num_gpus": num_gpus, "num_nodes": None, **ANY_LAYOUT}


def _spread_evenly(request: PlanRequest, limit: int) -> Iterator[int]:
    """GPUs on as many nodes as were asked for: the next above what was asked, the most within the limit."""
    nodes, asked = request.num_nodes, request.num_gpus
    if nodes is None:
        return
    if asked is not None and asked % nodes:
        yield -(-asked // nodes) * nodes
    within = min(limit or math.inf, asked or math.inf)
    if math.isfinite(within) and within >= nodes:
        yield int(within) // nodes * nodes


def is_sensible(launch: Found) -> bool:
    """Whether a launch may be named unasked: no copy of a model is better off on hundreds of GPUs."""
    layout = launch.trial.layout
    return layout.num_gpus // layout.data_parallel_size <= MOST_GPUS


def describe_counts(asked: PlanRequest, exact: PlanRequest, launch: Found) -> list[str]:
    """GPUs and nodes of a launch, where they aren't what was asked.

    Example:
        >>> describe_counts(of_12_gpus_on_2_nodes, of_8_gpus_on_2_nodes, launch)
        ['8 GPUs instead of 12, on 2 nodes']
    """
    trial, num_gpus = launch.trial, exact.num_gpus or 1
    nodes, others = _describe_nodes(asked, trial.num_nodes)
    if asked.partition is not None and asked.partition != trial.offer.partition_name:
        return [f"{trial.gpus} in {trial.offer.partition_name}"]
    if asked.gpu_type is not None and asked.gpu_type != exact.gpu_type:
        before = count_gpus(asked.num_gpus, asked.gpu_type) if asked.num_gpus else asked.gpu_type
        return [f"{trial.gpus}{nodes} instead of {before}{others}"]
    if asked.num_gpus is not None and asked.num_gpus != num_gpus:
        noun = "GPU" if num_gpus == 1 else "GPUs"
        if nodes and not others:
            return [f"{num_gpus} {noun} instead of {asked.num_gpus:,},{nodes}"]
        return [f"{num_gpus} {noun}{nodes} instead of {asked.num_gpus:,}{others}"]
    if others:
        return [f"{trial.gpus}{nodes} instead of{others.removeprefix(' on')}"]
    return [] if asked.gpu_type and asked.num_gpus else [f"{trial.gpus}{nodes}"]


def _describe_nodes(asked: PlanRequest, num_nodes: int) -> tuple[str, str]:
    """The nodes of a launch, where a number of them was asked for; and that number, where it is another."""
    if asked.num_nodes is None:
        return "", ""
    own = f" on {num_nodes} {'node' if num_nodes == 1 else 'nodes'}"
    return own, "" if asked.num_nodes == num_nodes else f" on {asked.num_nodes}"
