"""The network that an engine uses between nodes: found on each node, told to NCCL, Gloo and vLLM."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curc_llm.engine.interfaces import Interface, Kind, list_interfaces
from curc_llm.errors import LaunchError
from curc_llm.sites.network import Network

BEST_FIRST: tuple[Kind, ...] = ("infiniband", "roce", "ethernet")
MIB = 2**20


@dataclass(frozen=True)
class NodeNetwork:
    """What one node uses to speak with the others.

    Args:
        node: its name.
        interface: of the network interface.
        address: that the others reach it at.
        kind: what the interface is.
        hcas: the InfiniBand or RoCE devices behind it.
    """

    node: str
    interface: str
    address: str
    kind: Kind
    hcas: tuple[str, ...] = ()


def find_node_network(
    network: Network,
    *,
    sys_root: Path = Path("/sys"),
    interfaces: Sequence[Interface] | None = None,
    node: str = "",
) -> NodeNetwork:
    """The interface that the site names, else the best, on the node that this runs on.

    Args:
        network: what the site says.
        sys_root: where the kernel tells of devices.
        interfaces: those there are; None: they are looked for.
        node: its name; empty: its host name.

    Raises:
        LaunchError: there is none, or not the one that the site names; says which there are.

    Example:
        >>> find_node_network(Network(), interfaces=[Interface("ib0", "10.0.0.1")], node="n1").address
        '10.0.0.1'
    """
    node = node or socket.gethostname()
    known = list_interfaces(sys_root) if interfaces is None else interfaces
    chosen = _named(network.interface, known) if network.interface else _best(known)
    if chosen is None:
        raise LaunchError(*_explain(network.interface, known, node))
    return NodeNetwork(node, chosen.name, chosen.address, chosen.kind, chosen.hcas)


def make_network_environment(network: Network, found: NodeNetwork) -> dict[str, str]:
    """The variables that NCCL, Gloo, TensorPipe and vLLM read on this node. Pure.

    Args:
        network: what the site says; what it leaves empty isn't set.
        found: what this node uses.

    Example:
        >>> node = NodeNetwork("n1", "ib0", "10.0.0.1", "infiniband")
        >>> make_network_environment(Network(ib_timeout=22), node)["NCCL_IB_TIMEOUT"]
        '22'
    """
    mib = network.nccl_buffsize_mib
    optional = {
        "NCCL_IB_HCA": network.ib_hca,
        "NCCL_IB_TIMEOUT": network.ib_timeout,
        "NCCL_IB_GID_INDEX": network.ib_gid_index,
        "NCCL_IB_DISABLE": "1" if network.disable_ib else "",
        "NCCL_DEBUG": network.nccl_debug,
        "NCCL_BUFFSIZE": mib * MIB if mib else "",
        "VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": network.step_timeout_s,
    }
    return {
        "VLLM_HOST_IP": found.address,
        "NCCL_SOCKET_IFNAME": f"={found.interface}",  # `=`: this one alone, not all that begin so
        "GLOO_SOCKET_IFNAME": found.interface,
        "TP_SOCKET_IFNAME": found.interface,
    } | {name: str(value) for name, value in optional.items() if value not in (None, "")}


def make_network_arguments(network: Network) -> list[str]:
    """The time-outs between ranks that vLLM takes as arguments alone. Pure.

    Example:
        >>> make_network_arguments(Network(nccl_timeout_s=60))
        ['--distributed-timeout-seconds', '60']
    """
    flags = {
        "--distributed-timeout-seconds": network.nccl_timeout_s,
        "--cpu-distributed-timeout-seconds": network.gloo_timeout_s,
    }
    return [part for name, value in flags.items() if value for part in (name, str(value))]


def _is_usable(interface: Interface) -> bool:
    return interface.is_up and bool(interface.address)


def _named(wanted: str, known: Sequence[Interface]) -> Interface | None:
    """The one of exactly that name, else the first usable one whose name begins so."""
    usable = [i for i in known if _is_usable(i)]
    exact = next((i for i in usable if i.name == wanted), None)
    begins = sorted((i for i in usable if i.name.startswith(wanted)), key=lambda i: i.name)
    return exact or (begins[0] if begins else None)


def _best(known: Sequence[Interface]) -> Interface | None:
    """By kind; then one with a device, the way to other networks, the fastest."""
    usable = [i for i in known if _is_usable(i)]
    return min(usable, key=_rank, default=None)


def _rank(i: Interface) -> tuple[int, bool, bool, int, str]:
    return (BEST_FIRST.index(i.kind), not i.is_physical, not i.is_default, -i.speed_mbit, i.name)


def _explain(wanted: str, known: Sequence[Interface], node: str) -> tuple[str, str]:
    there = ", ".join(f"{i.name} ({_describe(i)})" for i in known) or "none but loopback"
    if not wanted:
        return f"No network interface of {node} can be used between nodes.", f"There is: {there}."
    like = [i for i in known if i.name.startswith(wanted)]
    what = "isn't up with an address" if like else "doesn't exist"
    message = f"The network interface `{wanted}`, which the site file names, {what} on {node}."
    return message, f"There is: {there}. Mend `interface` under `network` in the site file."


def _describe(interface: Interface) -> str:
    if not interface.is_up:
        return "down"
    return f"{interface.kind}, {interface.address}" if interface.address else "no address"
