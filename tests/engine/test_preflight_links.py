"""What was measured between nodes becomes sentences and figures."""

from __future__ import annotations

from curc_llm.engine.gpu_facts import GpuFacts
from curc_llm.engine.link_probe import Links
from curc_llm.engine.node_facts import NodeFacts
from curc_llm.engine.preflight_links import (
    judge_clocks,
    judge_links,
    judge_reduce,
    judge_speed,
    list_figures,
)
from curc_llm.sites.network import Network

NODES = [
    NodeFacts(node="n1", interface="ib0", address="10.0.0.1", clock_s=1000.0),
    NodeFacts(node="n2", interface="ib0", address="10.0.0.2", clock_s=1012.0),
]


def test_nodes_that_dont_reach_each_other_are_named_with_interface_and_address() -> None:
    links = {0: Links({}, {1: "no answer within 4 s"}), 1: Links({0: 0.1}, {})}
    (found,) = judge_links(NODES, links)
    assert found.message == "n1 (ib0, 10.0.0.1) can't reach n2 (ib0, 10.0.0.2): no answer within 4 s."
    assert (found.is_fatal, found.nodes) == (True, ("n1", "n2"))


def test_a_node_that_told_nothing_of_its_links_is_named() -> None:
    (found,) = judge_links(NODES, {0: Links({1: 0.1}, {})})
    assert found.message == "n2 told nothing of its way to the other nodes."


def test_an_all_reduce_that_fails_is_fatal_and_one_that_takes_too_long_is_not() -> None:
    (failed,) = judge_reduce(NODES, {0: {"gb_per_s": 1.0}, 1: {"error": "NCCL error: unhandled"}})
    assert (failed.is_fatal, failed.nodes) == (True, ("n2",))
    assert "n2 said: NCCL error: unhandled." in failed.message
    (late,) = judge_reduce(NODES, {0: {"error": "no end after 25 s", "is_late": True}})
    assert not late.is_fatal


def test_where_no_node_could_reduce_nothing_is_said() -> None:
    assert judge_reduce(NODES, {0: {}, 1: {}}) == ()


def test_figures_are_the_slowest() -> None:
    links = {0: Links({1: 0.2}, {}, 3.0), 1: Links({0: 0.5}, {}, 2.0)}
    told = {0: {"gb_per_s": 8.0}, 1: {"gb_per_s": 7.5}}
    assert list_figures(links, told) == {
        "latency_ms": 0.5,
        "link_gb_per_s": 2.0,
        "all_reduce_gb_per_s": 7.5,
    }


def test_a_network_slower_than_the_site_says_is_told_by_tcp_or_between_gpus_by_nccl() -> None:
    network, figures = Network(min_gb_per_s=5), {"link_gb_per_s": 2.0, "all_reduce_gb_per_s": 7.5}
    (slow,) = judge_speed(network, NODES, figures)
    assert (
        "The slowest link between the nodes reached 2.00 GB/s; the site file says at least 5." in slow.message
    )
    with_gpus = [node.model_copy(update={"gpus": (GpuFacts("H100", 80, 79),)}) for node in NODES]
    assert judge_speed(network, with_gpus, figures) == ()
    assert judge_speed(Network(), NODES, figures) == ()


def test_clocks_are_compared_by_when_the_words_came() -> None:
    (found,) = judge_clocks(NODES, [1000.1, 1001.0])
    assert found.message == "The clock of n2 is 11 s ahead of that of n1."
    assert judge_clocks(NODES, [1000.0, 1012.0]) == ()
