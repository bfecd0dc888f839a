from __future__ import annotations

import pytest

from curc_llm.errors import PlanError
from curc_llm.slurm.probe import make_probe
from curc_llm.slurm.start import expect_start
from tests.plan.shipped import facts_of, offer_of
from tests.slurm.login import log_in
from tests.testbed.bed import Bed


def test_a_probe_asks_for_the_gpus_and_little_else() -> None:
    probe = make_probe(facts_of("alpine").site, offer_of("l40"), 2, hours=None, default_hours=4)
    assert (probe.gres, probe.qos, probe.num_nodes, probe.time_s) == ("gpu:l40:2", "gpu-normal", 1, 4 * 3600)
    assert probe.cpus_per_task == 4


def test_longer_than_one_qos_goes_to_the_next_and_a_test_type_is_short() -> None:
    site = facts_of("alpine").site
    assert make_probe(site, offer_of("l40"), 1, hours=48, default_hours=4).qos == "gpu-long"
    short = make_probe(site, offer_of("a100_3g.20gb"), 1, hours=None, default_hours=4)
    assert (short.qos, short.time_s) == ("gpu-testing", 3600)


@pytest.mark.parametrize(
    ("gpu", "count", "hours", "told"),
    [("l40", 4, None, "nodes"), ("l40", 1, 500, "500 h were asked for"), ("mi100", 1, None, "AMD")],
)
def test_what_the_site_allows_nobody_is_told(gpu: str, count: int, hours: float | None, told: str) -> None:
    with pytest.raises(PlanError, match=told):
        make_probe(facts_of("alpine").site, offer_of(gpu), count, hours=hours, default_hours=4)


@pytest.mark.slurm
def test_slurm_takes_the_probe_of_every_kind_of_gpu(free_bed: Bed) -> None:
    facts = facts_of("alpine")
    for offer in facts.offers:
        if offer.card.vendor == "amd":
            continue
        probe = make_probe(facts.site, offer, 1, hours=None, default_hours=4)
        assert expect_start(log_in(free_bed), probe).at is not None, offer.gpu_name


@pytest.mark.slurm
def test_the_second_site_takes_the_probe_too(second_bed: Bed) -> None:
    facts = facts_of("capella")
    probe = make_probe(facts.site, facts.offers[0], 8, hours=None, default_hours=4)
    assert (probe.gres, probe.num_nodes) == ("gpu:4", 2)
    assert expect_start(log_in(second_bed), probe).at is not None
