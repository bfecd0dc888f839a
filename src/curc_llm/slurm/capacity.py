"""Capacity: how many GPUs of each type are free now, by partition."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from curc_llm.errors import SlurmSilentError
from curc_llm.sites.lookup import SiteGpu, list_gpus
from curc_llm.sites.site import Site
from curc_llm.slurm.command import Slurm

# Words of a node's state that mean that no job starts there (scontrol manual, node state codes).
_SHUT = frozenset({
    "DOWN", "DRAIN", "DRAINING", "DRAINED", "FAIL", "FAILING", "NOT_RESPONDING", "NO_RESPOND", "MAINTENANCE",
    "MAINT", "RESERVED", "PLANNED", "POWERED_DOWN", "POWERING_DOWN", "REBOOT_ISSUED", "REBOOT_REQUESTED",
    "UNKNOWN", "ERROR", "FUTURE", "INVALID_REG", "BLOCKED",
})  # fmt: skip
_GRES = re.compile(r"gpu(?::(?P<type>[A-Za-z][\w.+-]*))?:(?P<count>\d+)")


@dataclass(frozen=True)
class Node:
    """A node as `scontrol show node` tells it.

    Args:
        states: the words of its state.
        gpus, used: GPUs by type (empty for untyped ones), those that it has and those that jobs hold.
    """

    name: str
    states: frozenset[str]
    partitions: frozenset[str]
    gpus: dict[str, int]
    used: dict[str, int]

    @property
    def is_open(self) -> bool:
        """Whether jobs start there."""
        return not self.states & _SHUT


@dataclass(frozen=True)
class Capacity:
    """GPUs of one type in one partition.

    Args:
        gpu: the type.
        total: all that exist.
        open: those of nodes that take jobs.
        idle: of these, those that nobody holds now.
        most_on_one_node: idle ones on the node that has most of them: what a job on one node can have.
    """

    gpu: SiteGpu
    total: int
    open: int
    idle: int
    most_on_one_node: int


def ask_capacity(slurm: Slurm, site: Site) -> tuple[Capacity, ...] | None:
    """Asks Slurm what is free now; None when it is silent.

    Raises:
        SlurmError: Slurm isn't here, or refused.

    Example:
        >>> [(c.gpu.name, c.idle) for c in ask_capacity(Slurm(), load_site("alpine"))][0]
        ('a100-40gb', 3)
    """
    try:
        text = slurm.query("scontrol", "show", "node", "--detail", "--oneliner")
    except SlurmSilentError:
        return None
    return count_capacity(site, parse_nodes(text))


def count_capacity(site: Site, nodes: Iterable[Node]) -> tuple[Capacity, ...]:
    """What is free of each of the site's GPU types, in the order of its file."""
    known = tuple(nodes)
    return tuple(
        _count_one(gpu, [n for n in known if gpu.partition_name in n.partitions]) for gpu in list_gpus(site)
    )


def _count_one(gpu: SiteGpu, nodes: list[Node]) -> Capacity:
    gres_type = gpu.gres.partition(":")[2]
    has = {node.name: _number(node.gpus, gres_type) for node in nodes}
    idle = [max(has[n.name] - _number(n.used, gres_type), 0) for n in nodes if n.is_open]
    return Capacity(
        gpu=gpu,
        total=sum(has.values()),
        open=sum(has[n.name] for n in nodes if n.is_open),
        idle=sum(idle),
        most_on_one_node=max(idle, default=0),
    )


def _number(gpus: dict[str, int], gres_type: str) -> int:
    """GPUs of a type; of a site that names none, all."""
    return gpus.get(gres_type, 0) if gres_type else sum(gpus.values())


def parse_nodes(text: str) -> tuple[Node, ...]:
    """The lines of `scontrol show node --detail --oneliner`; what isn't one is left out.

    Example:
        >>> parse_nodes("NodeName=n1 Gres=gpu:l40:3(S:0-1) GresUsed=gpu:l40:1(IDX:0)")[0].used
        {'l40': 1}
    """
    return tuple(_parse_node(line) for line in text.splitlines() if line.startswith("NodeName="))


def _parse_node(line: str) -> Node:
    values = dict(re.findall(r"(?<!\S)(\w+)=(\S*)", line))
    # `*` not responding, `~` powered down and so on: marks behind the words.
    words = values.get("State", "UNKNOWN").upper()
    states = {word.rstrip("*~#!%$@^-") for word in words.split("+")}
    if "*" in words:
        states.add("NOT_RESPONDING")
    return Node(
        name=values["NodeName"],
        states=frozenset(states),
        partitions=frozenset(values.get("Partitions", "").split(",")) - {""},
        gpus=_parse_gpus(values.get("Gres", "")),
        used=_parse_gpus(values.get("GresUsed", "")),
    )


def _parse_gpus(text: str) -> dict[str, int]:
    """`gpu:a100:3(IDX:0-2),gpu:h200:1` → type → count."""
    counts: dict[str, int] = {}
    for found in _GRES.finditer(re.sub(r"\([^)]*\)", "", text)):
        gres_type = found["type"] or ""
        counts[gres_type] = counts.get(gres_type, 0) + int(found["count"])
    return counts
