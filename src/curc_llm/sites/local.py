"""The site `local`: this machine, with the GPUs that it has, or as a machine without one."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections import Counter
from collections.abc import Mapping
from typing import Any

from curc_llm.factfile import Source
from curc_llm.sites.card import Card
from curc_llm.sites.host_memory import GIB, read_host_memory_gib
from curc_llm.sites.nvidia_smi import FoundGpu, find_local_gpus
from curc_llm.sites.site import Account, Billing, GpuType, Partition, Runtime, Site, Storage

# nvidia-smi counts what the driver keeps for itself; CUDA reports 1 to 2 % less to a program, as the
# published outputs in data/cards.yml show (T4: 15360 MiB against 14.56 GiB is the widest of them, 3 %).
CUDA_SHARE = 0.97
# Of machines that nobody described: about what the slowest card of cards.yml and a desktop's memory do.
SLOW_GPU_GB_PER_S = 300.0
SLOW_HOST_GB_PER_S = 20.0
MEASURED = "measured"
ASSUMED = "assumed"
MEASURED_CARD: dict[str, Any] = {
    "source": MEASURED,
    "sources": {"memory_bandwidth_gb_per_s": ASSUMED},
    "verified": False,
}


def make_local_site(cards: Mapping[str, Card], environ: Mapping[str, str] | None = None) -> Site:
    """A site of this machine: no queue, no limits, no price.

    Its `cards` hold only hardware that `cards` doesn't know; `load.load_site` adds the others.

    Args:
        cards: known kinds of GPU, to recognise what nvidia-smi names.
        environ: the environment; os.environ when not given.

    Raises:
        SiteError: nvidia-smi answers with something that can't be understood.
    """
    found = [find_card(gpu, cards) for gpu in find_local_gpus(os.environ if environ is None else environ)]
    parts = found or [("cpu", make_cpu_card())]
    host_gib, cores, counts = (
        read_host_memory_gib(),
        len(os.sched_getaffinity(0)),
        Counter(k for k, _ in parts),
    )
    share = (cores // len(parts), host_gib / len(parts))
    types = {key: _make_gpu_type(key, count, *share) for key, count in counts.items()}
    return Site(
        name="local",
        title=f"this machine ({platform.node()})",
        sources=_make_sources(),
        account=Account(source=MEASURED),
        billing=Billing(source=MEASURED),
        storage=Storage(
            source=ASSUMED,
            verified=False,
            state_dir="~/.local/state/curc-llm",
            cache_dir="~/.cache/curc-llm",
        ),
        runtime=Runtime(source=MEASURED),
        qos={},
        partitions={"local": _make_partition(types, cores, host_gib, has_gpus=bool(found))},
        cards={key: card for key, card in parts if key not in cards},
    )


def find_card(gpu: FoundGpu, cards: Mapping[str, Card]) -> tuple[str, Card]:
    """Key and card of a GPU: a known one of that product name, else one made of what nvidia-smi says."""
    known = next((key for key, card in cards.items() if gpu.product_name in card.product_names), None)
    if known is not None:
        return known, cards[known]
    memory_gib = gpu.memory_mib / 1024 * CUDA_SHARE
    if gpu.mig_profile:
        memory_gib = min(memory_gib, _profile_gb(gpu.mig_profile, memory_gib) * 1e9 / GIB)
    card = Card(
        title=gpu.product_name,
        product_names=(gpu.product_name,),
        memory_gb=round(memory_gib * GIB / 1e9, 1),
        memory_gib=round(memory_gib, 2),
        memory_bandwidth_gb_per_s=SLOW_GPU_GB_PER_S,
        compute_capability=gpu.compute_capability,
        is_mig=bool(gpu.mig_profile),
        **MEASURED_CARD,
    )
    return _make_key(gpu.product_name), card


def make_cpu_card() -> Card:
    """A machine without a GPU: its memory holds the weights and the KV cache."""
    memory_gib = read_host_memory_gib()
    return Card(
        title="no GPU: the processor and its memory",
        vendor="cpu",
        memory_gb=round(memory_gib * GIB / 1e9, 1),
        memory_gib=round(memory_gib, 2),
        memory_bandwidth_gb_per_s=SLOW_HOST_GB_PER_S,
        **MEASURED_CARD,
    )


def _profile_gb(profile: str, otherwise: float) -> float:
    """Memory of a MIG profile in GB: 20 of `3g.20gb`, 10 of `1g.10gb+me`."""
    digits = profile.partition(".")[2].partition("gb")[0]
    return float(digits) if digits.isdigit() else otherwise


def _make_key(name: str) -> str:
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in name.lower()).split())


def _make_gpu_type(key: str, count: int, cores: int, memory_gib: float) -> GpuType:
    return GpuType(
        card=key,
        source=MEASURED,
        gpus_per_node=count,
        max_cores_per_gpu=max(1, cores),
        max_memory_per_gpu_gib=memory_gib,
    )


def _make_partition(types: dict[str, GpuType], cores: int, host_gib: float, *, has_gpus: bool) -> Partition:
    return Partition(
        title="this machine",
        source=MEASURED,
        sources={"gpu_link": ASSUMED},
        nodes=1,
        gpus_per_node=sum(gpu.gpus_per_node or 0 for gpu in types.values()),
        cores_per_node=cores,
        memory_per_core_gib=host_gib / cores,
        arch="aarch64" if platform.machine() in {"aarch64", "arm64"} else "x86_64",
        gpu_link="pcie" if has_gpus else "none",
        node_link="none",
        max_nodes_per_job=1,
        gpu_types=types,
    )


def _make_sources() -> dict[str, Source]:
    today = dt.datetime.now(tz=dt.UTC).date()
    address = "https://docs.nvidia.com/deploy/nvidia-smi/index.html"
    return {
        MEASURED: Source(title="nvidia-smi and Linux on this machine", url=address, date=today),
        ASSUMED: Source(
            title="curc-llm's own guess", url=address, date=today, note="assumed, never measured"
        ),
    }
