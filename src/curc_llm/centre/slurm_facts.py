"""SlurmFacts: what Slurm itself says of its partitions, QoS and nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from curc_llm.slurm.capacity import Node, parse_nodes
from curc_llm.slurm.command import Slurm

QOS_FIELDS = ("Name", "MaxWall", "UsageFactor", "MaxJobsPU", "MaxSubmitPU", "MaxTRESPU", "GrpTRES")
# Slurm's words for "no limit".
_NONE = frozenset({"", "UNLIMITED", "INFINITE", "N/A", "(null)", "NONE"})


@dataclass(frozen=True)
class SlurmFacts:
    """What Slurm says.

    Args:
        partitions: by name, each with the keys of `scontrol show partition`.
        qos: by name, each with the QOS_FIELDS.
        nodes: with their GPUs.
        node_values: by node's name, the keys of `scontrol show node`.
    """

    partitions: Mapping[str, Mapping[str, str]]
    qos: Mapping[str, Mapping[str, str]]
    nodes: tuple[Node, ...]
    node_values: Mapping[str, Mapping[str, str]]

    def nodes_of(self, partition: str) -> tuple[Node, ...]:
        """The nodes of a partition."""
        return tuple(node for node in self.nodes if partition in node.partitions)


def ask_slurm_facts(slurm: Slurm) -> SlurmFacts:
    """Asks Slurm's controller and its database, three questions in all.

    Raises:
        SlurmError: Slurm isn't here, or refused.
        SlurmSilentError: no answer in time.
    """
    partitions = slurm.query("scontrol", "show", "partition", "--oneliner")
    nodes = slurm.query("scontrol", "show", "node", "--detail", "--oneliner")
    qos = slurm.query(
        "sacctmgr", "--noheader", "--parsable2", "show", "qos", f"format={','.join(QOS_FIELDS)}"
    )
    return make_slurm_facts(partitions, nodes, qos)


def make_slurm_facts(partitions: str, nodes: str, qos: str) -> SlurmFacts:
    """The facts of what the three commands printed."""
    rows = (line.split("|") for line in qos.splitlines())
    return SlurmFacts(
        partitions=parse_lines(partitions, "PartitionName"),
        qos={row[0]: dict(zip(QOS_FIELDS, row, strict=True)) for row in rows if len(row) == len(QOS_FIELDS)},
        nodes=parse_nodes(nodes),
        node_values=parse_lines(nodes, "NodeName"),
    )


def parse_lines(text: str, key: str) -> dict[str, dict[str, str]]:
    """Lines of `KEY=VALUE` words, by the value of `key`.

    Example:
        >>> parse_lines("NodeName=n1 CPUTot=64 Gres=gpu:l40:3", "NodeName")["n1"]["CPUTot"]
        '64'
    """
    lines = (dict(re.findall(r"(?<!\S)(\w+)=(\S*)", line)) for line in text.splitlines())
    return {values[key]: values for values in lines if key in values}


def parse_number(text: str) -> float | None:
    """A number of Slurm's; None for no limit and for what isn't one.

    Example:
        >>> parse_number("64"), parse_number("UNLIMITED"), parse_number("1.000000")
        (64.0, None, 1.0)
    """
    if text.strip().upper() in {word.upper() for word in _NONE}:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def parse_wall_h(text: str) -> float | None:
    """A wall time of Slurm's in hours; None for no limit.

    Example:
        >>> parse_wall_h("7-00:00:00"), parse_wall_h("01:00:00"), parse_wall_h("UNLIMITED")
        (168.0, 1.0, None)
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 24 + hours + minutes / 60 + seconds / 3600


def parse_tres(text: str) -> dict[str, float]:
    """A list such as `CPU=1.0,GRES/gpu:l40=108.6`, by name in lower case.

    Example:
        >>> parse_tres("CPU=1.0,GRES/gpu:a100_80gb=108.6")["gres/gpu:a100_80gb"]
        108.6
    """
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.lower(): number for name, _, value in pairs if (number := parse_number(value)) is not None}
