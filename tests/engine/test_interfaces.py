"""The interfaces of a node: addresses from the kernel, what each one is from `/sys`."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil

from curc_llm.engine.interfaces import list_interfaces

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
{0}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
other\t00000000\t0101A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0
"""


def real_name() -> str:
    """An interface of this machine that has an IPv4 address."""
    found = psutil.net_if_addrs()
    return next(n for n, a in found.items() if n != "lo" and any(x.family == socket.AF_INET for x in a))


def make_device(sys_root: Path, name: str, kind: str, *hcas: str, below: str = "") -> None:
    node = sys_root / "class" / "net" / name
    device = node / below / "device"
    device.mkdir(parents=True)
    (node / "type").write_text(f"{kind}\n")
    for hca in hcas:
        (device / "infiniband" / hca).mkdir(parents=True)


def test_names_and_addresses_are_the_kernels_and_loopback_is_left_out(tmp_path: Path) -> None:
    name = real_name()
    (tmp_path / "routes").write_text(ROUTES.format(name))
    found = {i.name: i for i in list_interfaces(tmp_path, tmp_path / "routes")}
    assert "lo" not in found
    own = {a.address for a in psutil.net_if_addrs()[name] if a.family == socket.AF_INET}
    assert found[name].address in own
    assert (found[name].kind, found[name].is_physical, found[name].is_default) == ("ethernet", False, True)


def test_an_infiniband_card_is_known_by_its_type(tmp_path: Path) -> None:
    name = real_name()
    make_device(tmp_path, name, "32", "mlx5_0")
    found = next(i for i in list_interfaces(tmp_path) if i.name == name)
    assert (found.kind, found.hcas, found.is_physical) == ("infiniband", ("mlx5_0",), True)


def test_ethernet_with_such_a_device_is_roce_in_a_bond_too(tmp_path: Path) -> None:
    name = real_name()
    make_device(tmp_path, name, "1", "mlx5_bond_0", below="lower_ens1")
    found = next(i for i in list_interfaces(tmp_path) if i.name == name)
    assert (found.kind, found.hcas) == ("roce", ("mlx5_bond_0",))
