"""The network interfaces of the node that this runs on, and what each one is."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

Kind = Literal["infiniband", "roce", "ethernet"]
INFINIBAND_TYPE = "32"  # ARPHRD_INFINIBAND in the kernel's if_arp.h


@dataclass(frozen=True)
class Interface:
    """One network interface.

    Args:
        name: the kernel's.
        address: its IPv4 address, else its global IPv6 one; empty when it has none.
        is_up: whether it can send.
        kind: what it is.
        hcas: the InfiniBand or RoCE devices behind it.
        is_default: whether the way to other networks leads through it.
        is_physical: False for bridges, containers' and other interfaces without a device.
        speed_mbit: as its driver says; 0 where it doesn't.
    """

    name: str
    address: str
    is_up: bool = True
    kind: Kind = "ethernet"
    hcas: tuple[str, ...] = ()
    is_default: bool = False
    is_physical: bool = True
    speed_mbit: int = 0


def list_interfaces(
    sys_root: Path = Path("/sys"), routes: Path = Path("/proc/net/route")
) -> tuple[Interface, ...]:
    """All interfaces but loopback.

    Names and addresses are the kernel's own answer for this network namespace; what an interface is stands
    below `/sys`, which in a container may be another namespace's: one that isn't there counts as Ethernet.

    Args:
        sys_root: where `class/net` and `class/infiniband` are.
        routes: the kernel's table of IPv4 routes.
    """
    addresses, states = psutil.net_if_addrs(), psutil.net_if_stats()
    default = _find_default(routes)
    found = []
    for name, state in states.items():
        own = [a.address for a in addresses.get(name, ()) if a.family in (socket.AF_INET, socket.AF_INET6)]
        address = _choose_address(own)
        if name != "lo" and "loopback" not in state.flags:
            node = sys_root / "class" / "net" / name
            found.append(
                Interface(
                    name,
                    address,
                    state.isup,
                    _read_kind(node),
                    _list_hcas(node),
                    name == default,
                    (node / "device").exists(),
                    state.speed,
                )
            )
    return tuple(found)


def _choose_address(addresses: list[str]) -> str:
    """IPv4 first; of IPv6 only what other nodes can use as it stands."""
    known = [ipaddress.ip_address(text.partition("%")[0]) for text in addresses]
    usable = [a for a in known if not (a.is_link_local or a.is_loopback)]
    return str(min(usable, key=lambda a: a.version)) if usable else ""


def _read_kind(node: Path) -> Kind:
    if _read(node / "type") == INFINIBAND_TYPE:
        return "infiniband"
    return "roce" if _list_hcas(node) else "ethernet"


def _list_hcas(node: Path) -> tuple[str, ...]:
    """Devices of the interface itself, or of those that a bond or VLAN is made of."""
    folders = [node, *sorted(node.glob("lower_*"))]
    return tuple(sorted({path.name for folder in folders for path in folder.glob("device/infiniband/*")}))


def _find_default(routes: Path) -> str:
    """The interface of the default route; of several the one with the lowest metric."""
    found = sorted(_default_routes(_read(routes)))
    return found[0][1] if found else ""


def _default_routes(text: str) -> Iterator[tuple[int, str]]:
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == fields[7] == "00000000":  # destination and mask
            yield int(fields[6]), fields[0]


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
