"""Topology: how one engine is spread over the nodes of a job, and what each node is told. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from curc_llm.errors import EngineError
from curc_llm.plan.flags import Value
from curc_llm.spec import EngineSpec

Kind = Literal["single", "native", "data_parallel", "ray"]


@dataclass(frozen=True)
class Meeting:
    """Where the nodes of an engine find each other.

    Args:
        address: the first node's, on the network that the nodes share.
        port: a free one there.
    """

    address: str
    port: int


@dataclass(frozen=True)
class Rank:
    """What one node runs of an engine.

    Args:
        node_rank: the node's place in the job, from 0.
        fields: vLLM's settings for this node, besides those of the whole engine.
        has_server: whether the API server runs here; on the others vLLM works for it.
        runs_vllm: False for a node that only lends its GPUs to Ray.
    """

    node_rank: int
    fields: dict[str, Value]
    has_server: bool
    runs_vllm: bool = True


def choose_kind(engine: EngineSpec, num_nodes: int) -> Kind:
    """How an engine is spread over so many nodes.

    vLLM's own ways come first, for they need nothing but vLLM: `native` spreads one copy of the model
    (`--nnodes`), `data_parallel` puts whole copies on each node. Ray is used where it is asked for.

    Raises:
        EngineError: it can't be spread so; the remedy says how it can.

    Example:
        >>> choose_kind(EngineSpec(served_model_name="m", model="/m", is_local=True), 1)
        'single'
    """
    if num_nodes == 1:
        return "single"
    copies, gpus = engine.data_parallel_size or 1, count_gpus(engine)
    if gpus % num_nodes:
        raise EngineError(
            f"{gpus} GPUs can't be dealt evenly to {num_nodes} nodes.",
            f"Use parallel sizes whose product is a multiple of {num_nodes}.",
        )
    if engine.distributed_executor_backend == "ray":
        return "ray"
    if copies == 1:
        return "native"
    if copies % num_nodes:
        raise EngineError(
            f"{copies} copies of the model can't be dealt evenly to {num_nodes} nodes.",
            "Use a data_parallel_size that the nodes divide, one copy over all nodes, or replicas in jobs of "
            "their own: curc-llm scale.",
        )
    return "data_parallel"


def count_gpus(engine: EngineSpec) -> int:
    """GPUs that an engine's sizes need, over all its nodes.

    Example:
        >>> count_gpus(EngineSpec(served_model_name="m", model="/m", is_local=True, tensor_parallel_size=4))
        4
    """
    sizes = (engine.tensor_parallel_size, engine.pipeline_parallel_size, engine.data_parallel_size)
    tp, pp, dp = (size or 1 for size in sizes)
    return tp * pp * dp


def make_ranks(engine: EngineSpec, num_nodes: int, meeting: Meeting) -> tuple[Rank, ...]:
    """What each node of an engine runs, the first node first.

    Sources: vllm/engine/arg_utils.py (create_engine_config: nnodes, data parallel), vllm/entrypoints/cli/
    serve.py (run_headless), https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html.

    Args:
        engine: what is served.
        num_nodes: over how many nodes.
        meeting: where they find each other.

    Raises:
        EngineError: it can't be spread so.

    Example:
        >>> engine = EngineSpec(served_model_name="m", model="/m", is_local=True, tensor_parallel_size=2)
        >>> [rank.fields["node_rank"] for rank in make_ranks(engine, 2, Meeting("10.0.0.1", 29501))]
        [0, 1]
    """
    kind = choose_kind(engine, num_nodes)
    places = range(num_nodes)
    if kind == "native":
        return tuple(Rank(place, _native(num_nodes, place, meeting), place == 0) for place in places)
    if kind == "data_parallel":
        copies = (engine.data_parallel_size or 1) // num_nodes
        return tuple(Rank(place, _copies(copies, place, meeting), place == 0) for place in places)
    if kind == "ray":
        return tuple(
            Rank(place, _ray(engine, num_nodes) if place == 0 else {}, place == 0, place == 0)
            for place in places
        )
    return (Rank(0, {}, has_server=True),)


def _native(num_nodes: int, place: int, meeting: Meeting) -> dict[str, Value]:
    """One copy of the model over all nodes."""
    return {
        "nnodes": num_nodes,
        "node_rank": place,
        "master_addr": meeting.address,
        "master_port": meeting.port,
        "headless": place > 0,
    }


def _copies(copies_per_node: int, place: int, meeting: Meeting) -> dict[str, Value]:
    """Whole copies of the model on each node; the first node's server deals requests to all."""
    return {
        "data_parallel_size_local": copies_per_node,
        "data_parallel_address": meeting.address,
        "data_parallel_rpc_port": meeting.port,
        # On the first node this would mean that the server deals requests to its own copies alone.
        "data_parallel_start_rank": place * copies_per_node if place else None,
        "headless": place > 0,
    }


def _ray(engine: EngineSpec, num_nodes: int) -> dict[str, Value]:
    """Ray places the workers; its own nodes are started before."""
    copies = engine.data_parallel_size or 1
    if copies == 1:
        return {"distributed_executor_backend": "ray"}
    return {
        "distributed_executor_backend": "ray",
        "data_parallel_backend": "ray",
        "data_parallel_size_local": max(1, copies // num_nodes),
    }
