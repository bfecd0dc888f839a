from __future__ import annotations

import pytest

from curc_llm.errors import SiteError
from curc_llm.plan.host import cores_to_read_ahead, explain_cores, make_host, max_cores, max_memory_gib
from curc_llm.plan.limits import Term, choose_term, explain_place, find_qos, max_gpus, nodes_for
from curc_llm.plan.offer import find_offers
from curc_llm.plan.refusal import Refusal
from curc_llm.sites.site import Qos
from tests.plan.shipped import facts_of, offer_of, plan

ALPINE = facts_of("alpine")
SITE = ALPINE.site
GIB = 2**30


def term(
    gpu: str, num_gpus: int, hours: float | None, wanted: str | None = None, **more: bool
) -> Term | Refusal:
    return choose_term(SITE, offer_of(gpu), num_gpus, hours=hours, default_hours=4.0, wanted=wanted, **more)


def refusal(found: object) -> Refusal:
    assert isinstance(found, Refusal)
    return found


def qos_of(found: Term | Refusal) -> str:
    assert isinstance(found, Term)
    return found.name


def test_the_shortest_qos_that_takes_the_hours_is_chosen() -> None:
    assert qos_of(term("a100_80gb", 1, 8)) == "gpu-normal"
    assert qos_of(term("a100_80gb", 1, 24)) == "gpu-normal"
    assert qos_of(term("a100_80gb", 1, 24.5)) == "gpu-long"


def test_hours_beyond_what_the_count_allows_are_refused_with_both_limits() -> None:
    found = refusal(term("a100_80gb", 3, 30))
    assert found.kind == "hours"
    assert found.limit == 24
    assert found.reason == (
        "3 x a100_80gb may run 24 h at most (QoS gpu-normal; gpu-long takes fewer GPUs); 30 h were asked for."
    )
    assert refusal(term("l40", 1, 200)).reason == (
        "1 x l40 may run 168 h at most (QoS gpu-long); 200 h were asked for."
    )


def test_the_test_qos_is_chosen_only_when_it_is_asked_for_or_alone() -> None:
    assert qos_of(term("mi100", 1, 0.5)) == "gpu-normal"
    assert qos_of(term("mi100", 1, 0.5, "gpu-testing")) == "gpu-testing"
    assert qos_of(term("mi100", 1, 0.5, uses_tests=True)) == "gpu-testing"
    alone = term("a100_3g.20gb", 1, None)
    assert isinstance(alone, Term)
    assert (alone.name, alone.hours) == ("gpu-testing", 1.0)


def test_hours_that_nobody_asked_for_are_shortened_instead_of_refused() -> None:
    shortened = term("a100_3g.20gb", 1, None)
    assert isinstance(shortened, Term)
    assert shortened.hours == 1.0
    assert refusal(term("a100_3g.20gb", 1, 4)).kind == "hours"


def test_a_qos_that_does_not_take_the_gpu_names_those_that_do() -> None:
    found = refusal(term("l40", 1, 1, "gpu-testing"))
    assert found.reason == "The QoS gpu-testing doesn't take l40 in al40; gpu-normal and gpu-long do."


def test_more_gpus_than_a_qos_gives_one_person_are_refused() -> None:
    found = refusal(term("a100_80gb", 2, 30, "gpu-long"))
    assert (found.kind, found.limit) == ("count", 1)
    assert "gives one person 1 a100_80gb at once; 2 were asked for" in found.reason


def test_a_wall_time_below_a_qos_minimum_is_refused() -> None:
    site = SITE.model_copy(
        update={"qos": {"gpu-long": Qos(source="hardware", max_time_h=168, min_time_h=24)}}
    )
    found = choose_term(site, offer_of("l40"), 1, hours=2, default_hours=4, wanted="gpu-long")
    assert refusal(found).reason == "The QoS gpu-long takes jobs of 24 h and more; 2 h were asked for."
    unasked = choose_term(site, offer_of("l40"), 1, hours=None, default_hours=4, wanted=None)
    assert isinstance(unasked, Term)
    assert unasked.hours == 24


def test_a_gpu_type_that_no_qos_takes_is_refused() -> None:
    site = SITE.model_copy(update={"qos": {"other": Qos(source="hardware", max_time_h=1)}})
    found = choose_term(site, offer_of("l40"), 1, hours=None, default_hours=1, wanted=None)
    assert refusal(found).reason == "No QoS of the site takes l40 in al40."


def test_a_site_without_slurm_has_no_qos_and_no_limit_of_hours() -> None:
    found = choose_term(
        SITE.model_copy(update={"qos": {}}), offer_of("l40"), 1, hours=1000, default_hours=1, wanted=None
    )
    assert found == Term("", None, 1000)


def test_an_unknown_qos_names_the_nearest() -> None:
    with pytest.raises(SiteError) as error:
        find_qos("gpu-norml", SITE)
    assert "Did you mean gpu-normal?" in error.value.remedy
    assert find_qos("GPU_normal", SITE) == "gpu-normal"


def test_gpu_jobs_on_alpine_stay_on_one_node() -> None:
    found = refusal(explain_place(SITE, offer_of("a100_80gb"), 4, None))
    assert found.kind == "nodes"
    assert found.reason == (
        "A GPU job may have 1 node of aa100, with 3 a100_80gb each (the rule is `max_nodes_per_job` in its "
        "site file); 4 x a100_80gb on 2 nodes were asked for."
    )


def test_more_gpus_than_one_person_may_hold_are_refused() -> None:
    found = refusal(explain_place(SITE, offer_of("a100_3g.20gb"), 2, None))
    assert (found.kind, found.limit) == ("count", 1)
    assert "lets one person use 1 a100_3g.20gb at once; 2 were asked for" in found.reason


def test_gpus_that_the_named_nodes_do_not_have_are_refused() -> None:
    h100 = offer_of("h100", "capella")
    capella = facts_of("capella").site
    assert (
        "1 node of capella has 4 h100; 5 were asked for" in refusal(explain_place(capella, h100, 5, 1)).reason
    )
    uneven = refusal(explain_place(capella, h100, 5, 2))
    assert uneven.reason == "5 GPUs can't be spread evenly over 2 nodes."
    assert explain_place(capella, h100, 8, 2) is None


def test_amd_gpus_are_refused_in_one_sentence() -> None:
    found = refusal(explain_place(SITE, offer_of("mi100"), 1, None))
    assert found.reason == "AMD Instinct MI100 32 GB (mi100) is an AMD GPU that vLLM doesn't support."


def test_nodes_are_the_fewest_that_share_the_gpus_evenly() -> None:
    h100 = offer_of("h100", "capella")
    assert [nodes_for(h100, n) for n in (1, 4, 5, 6, 8, 10, 12)] == [1, 1, 5, 2, 2, 5, 3]


def test_the_most_gpus_of_a_job_follow_from_node_and_person() -> None:
    assert max_gpus(SITE, offer_of("a100-40gb")) == 3
    assert max_gpus(SITE, offer_of("h200")) == 4
    assert max_gpus(SITE, offer_of("a100_3g.20gb")) == 1


def test_cores_beyond_the_gpus_share_are_refused() -> None:
    found = explain_cores(offer_of("l40"), 1, 22)
    assert found is not None
    assert found.reason == "1 x l40 may have 21 cores on a node (21 for each GPU); 22 were asked for."
    assert explain_cores(offer_of("l40"), 2, 42) is None
    assert explain_cores(offer_of("l40"), 1, None) is None


def test_host_memory_holds_the_checkpoint_with_room_so_that_vllm_reads_it_ahead() -> None:
    offer = offer_of("h200")
    host = make_host(offer, 2, 140 * GIB, SITE.billing)
    assert host.memory_gib * 0.9 > 140
    assert host.holds_checkpoint
    assert host.memory_gib <= host.cpus * offer.partition.memory_per_core_gib


def test_host_memory_and_cores_never_exceed_what_the_site_gives() -> None:
    offer = offer_of("a100_80gb")
    host = make_host(offer, 2, 800 * GIB, SITE.billing)
    assert not host.holds_checkpoint
    assert host.memory_gib <= max_memory_gib(offer, 2)
    assert host.cpus <= max_cores(offer, 2) == 42
    assert make_host(offer, 1, 1 * GIB, SITE.billing).cpus == 6
    assert make_host(offer, 1, 1 * GIB, SITE.billing, cores=12).cpus == 12


def test_cores_that_only_bring_memory_for_reading_ahead_are_asked_for_where_they_cost_little() -> None:
    dear, cheap = offer_of("a100_80gb"), offer_of("h200")
    checkpoint = 70 * GIB
    host = make_host(dear, 2, checkpoint, SITE.billing)
    assert (host.cpus, host.memory_gib, host.holds_checkpoint) == (8, 28, False)
    assert host.memory_gib <= host.cpus * dear.partition.memory_per_core_gib
    with_it = make_host(dear, 2, checkpoint, SITE.billing, cores=cores_to_read_ahead(dear, 2, checkpoint))
    assert with_it.holds_checkpoint
    for offer, gib in ((cheap, 140), (dear, 16)):
        near = make_host(offer, 1, gib * GIB, SITE.billing)
        assert near.holds_checkpoint
        assert near.memory_gib <= near.cpus * offer.partition.memory_per_core_gib
    free = make_host(dear, 2, checkpoint, SITE.billing.model_copy(update={"su_per_core_h": 0.0}))
    assert free.holds_checkpoint


def test_no_more_memory_is_asked_for_than_is_needed() -> None:
    assert make_host(offer_of("h200"), 1, 1 * GIB, SITE.billing).memory_gib == 14
    assert cores_to_read_ahead(offer_of("a100_80gb"), 1, 800 * GIB) is None


def test_a_gpu_is_found_however_its_name_is_written_and_only_where_it_is() -> None:
    def names(partition: str | None, gpu: str | None) -> list[str]:
        return [o.partition_name for o in find_offers(ALPINE.offers, SITE, partition, gpu)]

    assert names(None, "A100-80GB") == ["aa100"]
    assert names("AA100", None) == ["aa100"] * 3
    assert names("al40", "h200") == []
    with pytest.raises(SiteError, match="no partition 'amilan'"):
        names("amilan", None)


def test_a_partition_without_the_gpu_is_refused_and_says_where_it_is() -> None:
    made = plan("qwen3-8b", partition="al40", gpu_type="h200")
    assert made.reason == "The partition al40 has no h200: that is in ah200."
    assert [a.change for a in made.alternatives][:2] == ["1 x h200 in ah200", "1 x l40 instead of h200"]
