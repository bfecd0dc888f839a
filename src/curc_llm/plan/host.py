"""Host: cores and host memory of a job's nodes.

Each core is paid for, and where a site gives so much memory with each core, memory is paid in cores:
whoever asks for more than comes with the cores is refused, or gets more cores (Slurm's MaxMemPerCPU). So a
job asks for the cores that vLLM needs and the memory that comes with them. vLLM reads a checkpoint ahead
only when it fits into the job's memory. That saves some of the minutes that loading takes, while the cores
are paid for as long as the job lasts; so they are asked for where they add at most a twentieth to the
price, which is about what loading a few times more slowly costs a session of four hours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from curc_llm.plan.offer import Offer
from curc_llm.plan.plan import Step
from curc_llm.plan.refusal import Refusal
from curc_llm.sites.site import Billing

GIB = 2**30
# vLLM reads a checkpoint ahead only when it is smaller than 90 % of the memory that the job may use
# (vllm/model_executor/model_loader/weight_utils.py, for NFS and Lustre); without that, loading is slower.
PREFETCH_SHARE = 0.9
WORTH_SHARE = 0.05  # of the price: what cores may add that only bring memory for reading ahead; our choice
BASE_MEMORY_GIB = 8.0  # API server, engine core, gateway, chat: our own measurement on CPU, rounded up
MEMORY_PER_GPU_GIB = 4.0  # a worker: CUDA libraries and pinned buffers; an estimate
# vLLM: "a minimum of 2 + N physical CPU cores" for N GPUs (docs/configuration/optimization.md). Two more for
# the gateway and the chat, and one more per GPU for reading weights.
BASE_CORES = 4
CORES_PER_GPU = 2
# A second engine on the same GPUs: the same "2 + N" once more, for its API server, engine core and worker;
# and the memory of those, half of the base and a worker's, an estimate.
CORES_PER_ENGINE = 3
MEMORY_PER_ENGINE_GIB = 8.0


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


def make_host(
    offer: Offer,
    gpus_on_node: int,
    weight_bytes: float,
    billing: Billing,
    cores: int | None = None,
    num_engines: int = 1,
) -> Host:
    """What to ask for on each node, within the site's caps.

    Args:
        offer: the GPU type, which says what the site allows.
        gpus_on_node: GPUs on one node.
        weight_bytes: of the checkpoint on disk.
        billing: what cores and GPUs cost.
        cores: what was asked for; None: as many as are needed.
        num_engines: of the job.
    """
    most_gib = max_memory_gib(offer, gpus_on_node)
    per_core_gib = offer.partition.memory_per_core_gib
    working_gib = _working_gib(gpus_on_node, num_engines)
    reading_gib = working_gib + weight_bytes / GIB / PREFETCH_SHARE
    needed = cores or least_cores(offer, gpus_on_node, num_engines)
    more = math.ceil(min(reading_gib, most_gib) / per_core_gib) - needed
    if (
        cores is None
        and more > 0
        and reading_gib <= most_gib
        and _is_worth(more, offer, gpus_on_node, billing)
    ):
        needed = min(needed + more, max_cores(offer, gpus_on_node))
    with_cores_gib = max(needed * per_core_gib, working_gib)
    memory_gib = max(1, math.floor(min(math.ceil(reading_gib), with_cores_gib, most_gib)))
    return Host(needed, memory_gib, holds_checkpoint=memory_gib >= weight_bytes / GIB / PREFETCH_SHARE)


def least_cores(offer: Offer, gpus_on_node: int, num_engines: int = 1) -> int:
    """Cores of a node that vLLM, gateway and chat need, and that bring the memory which they work in."""
    with_memory = math.ceil(_working_gib(gpus_on_node, num_engines) / offer.partition.memory_per_core_gib)
    working = BASE_CORES + CORES_PER_GPU * gpus_on_node + CORES_PER_ENGINE * (num_engines - 1)
    return min(max(working, with_memory), max_cores(offer, gpus_on_node))


def cores_to_read_ahead(
    offer: Offer, gpus_on_node: int, weight_bytes: float, num_engines: int = 1
) -> int | None:
    """Cores of a node whose memory holds the whole checkpoint; None when the site doesn't give so many."""
    reading_gib = _working_gib(gpus_on_node, num_engines) + weight_bytes / GIB / PREFETCH_SHARE
    cores = math.ceil(reading_gib / offer.partition.memory_per_core_gib)
    return cores if reading_gib <= max_memory_gib(offer, gpus_on_node) else None


def host_step(offer: Offer, gpus_on_node: int, weight_bytes: float, host: Host, num_engines: int = 1) -> Step:
    """The arithmetic of cores and host memory, for `--why`."""
    least = least_cores(offer, gpus_on_node, num_engines)
    gib, per_core_gib = weight_bytes / GIB, offer.partition.memory_per_core_gib
    reading = (
        f"{gib:,.1f} / {PREFETCH_SHARE:g} + {_working_gib(gpus_on_node, num_engines):g} GiB to read it ahead"
    )
    why = (
        "worth its cores" if host.holds_checkpoint else "which isn't worth its cores, so it loads more slowly"
    )
    return Step(
        name="Cores and host memory of a node",
        formula="cores that vLLM needs and the memory that comes with them; enough to read the checkpoint "
        f"ahead where that adds at most {WORTH_SHARE:.0%} to the price",
        numbers=f"{least} cores x {per_core_gib:g} GiB; {reading}, {why}",
        result=f"{host.cpus} cores, {host.memory_gib} GiB",
        source="vllm/model_executor/model_loader/weight_utils.py (prefetch below 90 % of available memory)",
    )


def _working_gib(gpus_on_node: int, num_engines: int = 1) -> float:
    return BASE_MEMORY_GIB + MEMORY_PER_GPU_GIB * gpus_on_node + MEMORY_PER_ENGINE_GIB * (num_engines - 1)


def _is_worth(more_cores: int, offer: Offer, gpus_on_node: int, billing: Billing) -> bool:
    """Whether cores for reading ahead add little to the price."""
    least = billing.su_per_core_h * least_cores(offer, gpus_on_node) + offer.gpu.su_per_gpu_h * gpus_on_node
    return billing.su_per_core_h * more_cores <= WORTH_SHARE * least
