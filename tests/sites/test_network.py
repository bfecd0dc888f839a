"""The network between nodes, as a site file says: a partition's own words before the whole site's."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.errors import FactFileError
from curc_llm.sites.figures import list_figures
from curc_llm.sites.load import SITES_DIR, load_site
from curc_llm.sites.network import Network, choose_network

CAPELLA = (SITES_DIR / "capella.yml").read_text()
SITE_WIDE = "network: {source: capella, interface: ib0, ib_timeout: 22, nccl_debug: WARN}\n"
PARTITION = "    network: {interface: hsn, disable_ib: false}\n"


def write(tmp_path: Path, site_wide: str, partition: str = "") -> Path:
    """Capella's file with a network."""
    path = tmp_path / "our.yml"
    text = CAPELLA.replace("\npartitions:\n", f"\n{site_wide}\npartitions:\n", 1)
    path.write_text(text.replace("    gpu_types:\n", f"{partition}    gpu_types:\n", 1))
    return path


def test_a_partition_says_what_differs_there(tmp_path: Path) -> None:
    site = load_site(str(write(tmp_path, SITE_WIDE, PARTITION)))
    network = site.network_of("capella")
    assert (network.interface, network.ib_timeout, network.nccl_debug) == ("hsn", 22, "WARN")
    assert site.network_of("elsewhere").interface == "ib0"


def test_a_partition_can_take_back_what_the_site_says() -> None:
    whole_site = Network(disable_ib=True, ib_hca="mlx5_0")
    assert choose_network(whole_site, Network(disable_ib=False, ib_hca="")) == Network(
        disable_ib=False, ib_hca=""
    )


def test_its_figures_have_a_source_a_partitions_own_that_of_the_partition(tmp_path: Path) -> None:
    site = load_site(str(write(tmp_path, SITE_WIDE, PARTITION)))
    found = {f.place: f.source_key for f in list_figures(site) if "network" in f.place}
    assert found["network.ib_timeout"] == "capella"
    assert found["partitions.capella.network.interface"] == site.partitions["capella"].source


@pytest.mark.parametrize("name", ["alpine", "capella"])
def test_shipped_sites_leave_open_what_nobody_documented(name: str) -> None:
    site = load_site(name)
    assert all(site.network_of(partition) == Network() for partition in site.partitions)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("network: {source: capella, interface: eth0; id}", "`network.interface` can't be 'eth0; id'"),
        ("network: {source: capella, ib_timeout: 32}", "can't be 32: it must be at most 31"),
        ("network: {source: capella, nccl_debug: LOUD}", "must be '', 'VERSION', 'WARN', 'INFO' or 'TRACE'"),
        ("network: {source: capella, nccl_timeout_s: 0}", "can't be 0: it must be at least 1"),
        ("network: {source: capella, ib_hca: 'mlx5_0 -x'}", "`network.ib_hca` can't be 'mlx5_0 -x'"),
        ("network: {source: capela, interface: ib0}", "there is no source named `capela`"),
        ("network: {interface: ib0}", "`network` names no source"),
        ("network: {source: capella, ifname: ib0}", "there is nothing named `network.ifname`"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, line)
    at = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if text == line)
    with pytest.raises(FactFileError) as caught:
        load_site(str(path))
    assert message in str(caught.value)
    assert f"{path}, line {at}: " in str(caught.value)
