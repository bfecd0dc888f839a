"""Offer: one GPU type in one partition of a site: what a job there may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curc_llm.errors import SiteError
from curc_llm.plan.names import fold, nearest
from curc_llm.plan.speed import Crossing
from curc_llm.sites.card import Card
from curc_llm.sites.lookup import find_gpus, list_gpus
from curc_llm.sites.site import GpuType, Partition, Site


@dataclass(frozen=True, eq=False)
class Offer:
    """One GPU type in one partition.

    Args:
        partition_name: the partition's name.
        gpu_name: the GPU type's key in the site file.
        partition: the nodes.
        gpu: what the site allows and charges.
        card: the hardware.
        node_gb_per_s: 10^9 bytes per second between two nodes, where the site's file tells.
    """

    partition_name: str
    gpu_name: str
    partition: Partition
    gpu: GpuType
    card: Card
    node_gb_per_s: float | None = None

    @property
    def gpus_per_node(self) -> int:
        """GPUs of this type in one node."""
        return self.gpu.gpus_per_node or self.partition.gpus_per_node

    @property
    def max_nodes(self) -> int:
        """Nodes that one job may have."""
        return min(self.partition.nodes, self.partition.max_nodes_per_job or self.partition.nodes)

    def crossing(self, gpus_per_node: int) -> Crossing:
        """What a launch with so many GPUs on each node meets on its way from node to node."""
        is_told = self.partition.node_link in ("infiniband", "roce")
        return Crossing(gpus_per_node, self.node_gb_per_s if is_told else None)

    @property
    def is_free_choice(self) -> bool:
        """True when the planner may choose it unasked: no permission is needed, and vLLM runs there."""
        usual = self.partition.arch == "x86_64" and not self.gpu.on_request
        return usual and self.card.vendor != "amd"


def make_offers(site: Site) -> tuple[Offer, ...]:
    """Every GPU type of every partition, in the order of the site file."""
    return tuple(
        Offer(
            gpu.partition_name,
            gpu.name,
            gpu.partition,
            gpu.gpu_type,
            gpu.card,
            site.network_of(gpu.partition_name).min_gb_per_s,
        )
        for gpu in list_gpus(site)
    )


def find_offers(
    offers: Sequence[Offer], site: Site, partition: str | None, gpu_type: str | None
) -> tuple[Offer, ...]:
    """The offers that bear these names; empty when both exist, but not together.

    Raises:
        SiteError: one of the names is unknown at the site, or could mean several; names the nearest.
    """
    known = {offer.gpu_name for offer in offers}
    name = gpu_type if gpu_type is None or gpu_type in known else find_gpus(site, gpu_type)[0].name
    place = None if partition is None else _find_partition(site, partition)
    return tuple(o for o in offers if place in (None, o.partition_name) and name in (None, o.gpu_name))


def _find_partition(site: Site, wanted: str) -> str:
    found = next((name for name in site.partitions if fold(name) == fold(wanted)), None)
    if found is None:
        raise SiteError(f"{site.title} has no partition {wanted!r}.", nearest(wanted, site.partitions))
    return found
