"""Host: cores and host memory of a job's nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from curc_llm.plan.offer import Offer
from curc_llm.plan.plan import Step
from curc_llm.plan.refusal import Refusal

GIB = 2**30
# vLLM reads a checkpoint ahead only when it is smaller than 90 % of the memory that the job may use
# (vllm/model_executor/model_loader/weight_utils.py); without that, loading from a shared disk is far slower.
PREFETCH_SHARE = 0.9
BASE_MEMORY_GIB = 8.0  # API server, engine core, gateway, chat: our own measurement on CPU, rounded up
MEMORY_PER_GPU_GIB = 4.0  # a worker: CUDA libraries and pinned buffers; an estimate
# vLLM: "a minimum of 2 + N physical CPU cores" for N GPUs (docs/configuration/optimization.md). Two more for
# the gateway and the chat, and one more per GPU for reading weights.
BASE_CORES = 4
CORES_PER_GPU = 2


@dataclass(frozen=True)
class Host:
    """Cores and memory of each node.

    Args:
        cpus: cores of one node.
        memory_gib: host memory of one node.
        holds_checkpoint: True when vLLM can read the whole checkpoint ahead.
    """

    cpus: int
    memory_gib: int
    holds_checkpoint: bool


def max_cores(offer: Offer, gpus_on_node: int) -> int:
    """Cores that a job may have on one node with so many GPUs."""
    return min(offer.gpu.max_cores_per_gpu * gpus_on_node, offer.partition.cores_per_node)


def max_memory_gib(offer: Offer, gpus_on_node: int) -> float:
    """Host memory that a job may have on one node; without a known cap, what comes with the cores."""
    with_cores = max_cores(offer, gpus_on_node) * offer.partition.memory_per_core_gib
    cap = offer.gpu.max_memory_per_gpu_gib
    return with_cores if cap is None else min(cap * gpus_on_node, with_cores)


def explain_cores(offer: Offer, gpus_on_node: int, cores: int | None) -> Refusal | None:
    """Why a job can't have so many cores on a node; None when it can."""
    most = max_cores(offer, gpus_on_node)
    if cores is None or cores <= most:
        return None
    reason = (
        f"{gpus_on_node} x {offer.gpu_name} may have {most} cores on a node "
        f"({offer.gpu.max_cores_per_gpu} for each GPU); {cores} were asked for."
    )
    return Refusal("cores", reason, limit=most)


def make_host(offer: Offer, gpus_on_node: int, weight_bytes: float, cores: int | None = None) -> Host:
    """What to ask for on each node: enough to read the checkpoint ahead, within the site's caps.

    Args:
        offer: the GPU type, which says what the site allows.
        gpus_on_node: GPUs on one node.
        weight_bytes: of the checkpoint on disk.
        cores: what was asked for; None: as many as are needed.
    """
    most_gib = max_memory_gib(offer, gpus_on_node)
    checkpoint_gib = weight_bytes / GIB / PREFETCH_SHARE
    wanted_gib = checkpoint_gib + BASE_MEMORY_GIB + MEMORY_PER_GPU_GIB * gpus_on_node
    memory_gib = max(1, min(math.ceil(wanted_gib), math.floor(most_gib)))
    with_memory = math.ceil(memory_gib / offer.partition.memory_per_core_gib)
    needed = max(BASE_CORES + CORES_PER_GPU * gpus_on_node, with_memory)
    cpus = cores or min(needed, max_cores(offer, gpus_on_node))
    return Host(cpus, memory_gib, holds_checkpoint=memory_gib >= checkpoint_gib)


def host_step(offer: Offer, gpus_on_node: int, weight_bytes: float, host: Host) -> Step:
    """The arithmetic of the host memory, for `--why`."""
    gib, most_gib = weight_bytes / GIB, max_memory_gib(offer, gpus_on_node)
    parts = f"{gib:,.1f} / {PREFETCH_SHARE} + {BASE_MEMORY_GIB:g} + {MEMORY_PER_GPU_GIB:g} x {gpus_on_node}"
    return Step(
        name="Host memory of a node",
        formula="checkpoint / 0.9 + base + workers, at most what the site allows",
        numbers=f"{parts}, at most {most_gib:,.0f}",
        result=f"{host.memory_gib} GiB, {host.cpus} cores",
        source="vllm/model_executor/model_loader/weight_utils.py (prefetch below 90 % of available memory)",
    )
