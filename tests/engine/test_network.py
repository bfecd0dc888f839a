"""The network between nodes: the right interface of each node, and what NCCL, Gloo and vLLM are told."""

from __future__ import annotations

import pytest

from curc_llm.engine.interfaces import Interface
from curc_llm.engine.network import (
    NodeNetwork,
    find_node_network,
    make_network_arguments,
    make_network_environment,
)
from curc_llm.errors import LaunchError
from curc_llm.sites.network import Network

ETH = Interface("eth0", "10.0.0.5", is_default=True, speed_mbit=1000)
FAST = Interface("eth1", "10.1.0.5", speed_mbit=25000)
IB = Interface("ib0", "10.2.0.5", kind="infiniband", hcas=("mlx5_0",))
ROCE = Interface("ens1", "10.3.0.5", kind="roce", hcas=("mlx5_bond_0",))
DOCKER = Interface("docker0", "172.17.0.1", is_physical=False)
DOWN = Interface("ib1", "10.4.0.5", is_up=False, kind="infiniband")
BARE = Interface("hsn0", "")


def choose(*known: Interface, interface: str = "") -> str:
    return find_node_network(Network(interface=interface), interfaces=known, node="n1").interface


def test_infiniband_goes_before_roce_before_ethernet() -> None:
    assert choose(ETH, ROCE, IB) == "ib0"
    assert choose(ETH, ROCE) == "ens1"
    assert choose(DOCKER, FAST, ETH) == "eth0"


def test_one_that_is_down_or_has_no_address_is_never_chosen() -> None:
    assert choose(DOWN, BARE, DOCKER, FAST) == "eth1"
    assert choose(DOWN, DOCKER) == "docker0"


def test_a_named_one_is_taken_exactly_or_by_how_it_begins() -> None:
    hsn = (Interface("hsn1", "10.5.0.2"), Interface("hsn0", "10.5.0.1"))
    assert choose(IB, *hsn, interface="hsn") == "hsn0"
    assert choose(IB, *hsn, interface="hsn1") == "hsn1"
    assert choose(DOWN, IB, interface="ib") == "ib0"


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("ib7", "The network interface `ib7`, which the site file names, doesn't exist on n1."),
        ("ib1", "The network interface `ib1`, which the site file names, isn't up with an address on n1."),
    ],
)
def test_one_that_cant_be_used_is_told_with_those_there_are(interface: str, message: str) -> None:
    with pytest.raises(LaunchError) as caught:
        choose(ETH, DOWN, BARE, interface=interface)
    assert caught.value.message == message
    assert "eth0 (ethernet, 10.0.0.5), ib1 (down), hsn0 (no address)" in caught.value.remedy


def test_a_node_without_any_says_so() -> None:
    with pytest.raises(LaunchError, match=r"No network interface of n1 .* none but loopback"):
        choose()


def test_without_words_of_the_site_only_interface_and_address_are_set() -> None:
    found = NodeNetwork("n1", "ib0", "10.2.0.5", "infiniband", ("mlx5_0",))
    assert make_network_environment(Network(), found) == {
        "VLLM_HOST_IP": "10.2.0.5",
        "NCCL_SOCKET_IFNAME": "=ib0",
        "GLOO_SOCKET_IFNAME": "ib0",
        "TP_SOCKET_IFNAME": "ib0",
    }
    assert make_network_arguments(Network()) == []


def test_what_the_site_says_reaches_nccl_and_vllm() -> None:
    network = Network(
        ib_hca="mlx5_0,mlx5_1",
        ib_timeout=22,
        ib_gid_index=0,
        disable_ib=True,
        nccl_debug="INFO",
        nccl_buffsize_mib=8,
        nccl_timeout_s=90,
        gloo_timeout_s=120,
        step_timeout_s=45,
    )
    told = make_network_environment(network, NodeNetwork("n1", "ib0", "10.2.0.5", "infiniband"))
    assert {name: told[name] for name in told if name.startswith(("NCCL_IB", "NCCL_DEBUG", "NCCL_BUFF"))} == {
        "NCCL_IB_HCA": "mlx5_0,mlx5_1",
        "NCCL_IB_TIMEOUT": "22",
        "NCCL_IB_GID_INDEX": "0",
        "NCCL_IB_DISABLE": "1",
        "NCCL_DEBUG": "INFO",
        "NCCL_BUFFSIZE": str(8 * 2**20),
    }
    assert told["VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS"] == "45"
    assert make_network_arguments(network) == [
        "--distributed-timeout-seconds",
        "90",
        "--cpu-distributed-timeout-seconds",
        "120",
    ]
