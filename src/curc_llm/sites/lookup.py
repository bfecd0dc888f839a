"""GPU types of a site by the name that a person gives: any case, `-` or `_`, or an obvious short form."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from curc_llm.errors import SiteError
from curc_llm.sites.card import Card
from curc_llm.sites.site import GpuType, Partition, Site


@dataclass(frozen=True)
class SiteGpu:
    """A GPU type where it stands.

    Args:
        partition_name, partition: which nodes have it.
        name: its key in the site's file.
        gpu_type: what the site says about it.
        card: the hardware.
    """

    partition_name: str
    partition: Partition
    name: str
    gpu_type: GpuType
    card: Card

    @property
    def gres(self) -> str:
        """What stands between `--gres=` and the count: `gpu:a100_80gb`, or `gpu` where types aren't named."""
        gres_type = self.gpu_type.gres_type or self.name
        return "gpu" if gres_type == "-" else f"gpu:{gres_type}"

    @property
    def gpus_per_node(self) -> int:
        """GPUs of this type in one node."""
        return self.gpu_type.gpus_per_node or self.partition.gpus_per_node


def list_gpus(site: Site) -> tuple[SiteGpu, ...]:
    """Every GPU type of a site, in the order of its file.

    Example:
        >>> [gpu.gres for gpu in list_gpus(load_site("capella"))]
        ['gpu']
    """
    return tuple(
        SiteGpu(partition_name, partition, name, gpu_type, site.cards[gpu_type.card])
        for partition_name, partition in site.partitions.items()
        for name, gpu_type in partition.gpu_types.items()
    )


def find_gpus(site: Site, wanted: str, partition: str = "") -> tuple[SiteGpu, ...]:
    """The GPU type that is meant, once for each partition that has it.

    Args:
        site: where to look.
        wanted: Slurm's name, the card's key, or the beginning of one that fits a single type.
        partition: only in this partition; empty for all.

    Raises:
        SiteError: there is none, or several could be meant; the text names them.

    Example:
        >>> find_gpus(load_site("alpine"), "A100-80GB")[0].name
        'a100_80gb'
    """
    known = [gpu for gpu in list_gpus(site) if partition in ("", gpu.partition_name)]
    if not known:
        raise _unknown(site, "partition", partition, list(site.partitions))
    plain = _plain(wanted)
    exact = _choose(known, lambda name: name == plain)
    found = exact or _choose(known, lambda name: bool(plain) and name.startswith(plain))
    names = sorted({gpu.name for gpu in found})
    if len(names) > 1:
        raise SiteError(
            f"{wanted!r} could be any of {', '.join(names)} at {site.title}.", "Name one of these GPU types."
        )
    if not found:
        raise _unknown(site, "GPU type", wanted, sorted({gpu.name for gpu in known}))
    return found


def find_gpu(site: Site, wanted: str, partition: str = "") -> SiteGpu:
    """The first of `find_gpus`.

    Raises:
        SiteError: see `find_gpus`.
    """
    return find_gpus(site, wanted, partition)[0]


def _choose(known: Iterable[SiteGpu], fits: Callable[[str], bool]) -> tuple[SiteGpu, ...]:
    return tuple(gpu for gpu in known if any(fits(name) for name in _names(gpu)))


def _names(gpu: SiteGpu) -> tuple[str, ...]:
    names = (gpu.name, gpu.gpu_type.gres_type, gpu.gpu_type.card)
    return tuple(plain for name in names if (plain := _plain(name)))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _unknown(site: Site, kind: str, wanted: str, known: list[str]) -> SiteError:
    by_plain = {_plain(name): name for name in known}
    near = difflib.get_close_matches(_plain(wanted), list(by_plain), n=1, cutoff=0.7)
    hint = f"Did you mean {by_plain[near[0]]}? " if near else ""
    return SiteError(f"{site.title} has no {kind} {wanted!r}.", f"{hint}There are: {', '.join(known)}.")
