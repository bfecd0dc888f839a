"""A plan becomes what Slurm is asked for; a spec asks for the same again."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.errors import PlanError, SpecError
from curc_llm.slurm.request import make_job_request, make_repeated_request
from tests.plan.shipped import facts_of, plan
from tests.slurm.requests import ask_for


def test_a_plan_becomes_a_request_of_the_sites_words() -> None:
    made = plan("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=2, hours=8, account="ucb123_asc1")
    request = make_job_request(made, facts_of("alpine").site, output=Path("/s/job.log"))
    assert (request.partition, request.qos, request.account) == ("aa100", "gpu-normal", "ucb123_asc1")
    assert (request.gres, request.num_nodes, request.time_s) == ("gpu:a100_80gb:2", 1, 8 * 3600)
    assert (request.cpus_per_task, request.memory_gib) == (made.cpus, made.memory_gib)


def test_a_site_without_gpu_types_is_asked_for_a_number_alone() -> None:
    made = plan("llama-3.1-70b-instruct", site="capella", num_gpus=8, account="p_number_crunch")
    request = make_job_request(made, facts_of("capella").site)
    assert (request.gres, request.num_nodes) == ("gpu:4", 2)


def whole_nodes(exclusive: bool | None = None, su_per_core_h: float = 0, **asked: int) -> bool:
    """Whether a job at the second site asks for whole nodes, were its file to say this."""
    site = facts_of("capella").site
    partition = site.partitions["capella"].model_copy(update={"exclusive": exclusive})
    billing = site.billing.model_copy(update={"su_per_core_h": su_per_core_h})
    site = site.model_copy(update={"partitions": {"capella": partition}, "billing": billing})
    return make_job_request(plan("llama-3.1-70b-instruct", site="capella", **asked), site).exclusive


def test_several_nodes_are_had_whole_where_that_costs_nothing() -> None:
    assert whole_nodes(num_gpus=8)
    assert not whole_nodes(num_gpus=4)
    assert not whole_nodes(num_gpus=8, su_per_core_h=1)
    assert not whole_nodes(num_gpus=4, num_nodes=2)


def test_the_site_says_whether_several_nodes_are_had_whole() -> None:
    assert not whole_nodes(exclusive=False, num_gpus=8)
    assert whole_nodes(exclusive=True, num_gpus=4, num_nodes=2, su_per_core_h=1)


def test_a_person_has_the_last_word_on_whole_nodes_in_a_repeat_too() -> None:
    made = plan("llama-3.1-70b-instruct", site="capella", num_gpus=8)
    assert not make_job_request(made, facts_of("capella").site, exclusive=False).exclusive
    asked = make_job_request(made, facts_of("capella").site, exclusive=True).to_spec()
    assert make_repeated_request(asked, job_name="x", time_s=60).exclusive


def test_a_refusal_is_never_launched() -> None:
    made = plan("llama-3.1-405b-instruct", gpu_type="l40", num_gpus=1)
    with pytest.raises(PlanError, match="can't be launched"):
        make_job_request(made, facts_of("alpine").site)


def test_a_spec_asks_for_the_same_again() -> None:
    first = ask_for(
        account="ucb123_asc1", reservation="class-1", requeue=True, constraint="l40", gpus_per_node=2
    )
    more = {"job_name": first.job_name, "time_s": first.time_s, "output": first.output}
    again = make_repeated_request(first.to_spec(), **more)  # type: ignore[arg-type]
    assert again == first


def test_hours_are_never_cut_short() -> None:
    assert make_repeated_request(ask_for().to_spec(), job_name="x", time_s=3600.5).time_s == 3601


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"account": "$(id)"}, "account '$(id)'"),
        ({"job_name": ""}, "needs a job_name"),
        ({"job_name": "x\ny"}, "job_name"),
        ({"partition": ""}, "needs a partition"),
        ({"time_s": 5}, "time_s is 5, but at least 60"),
        ({"gpus_per_node": -1}, "gpus_per_node is -1"),
        ({"memory_gib": 0}, "memory_gib is 0"),
        ({"output": Path("job.log")}, "full path"),
        ({"constraint": "a b"}, "constraint 'a b'"),
    ],
)
def test_a_value_that_slurm_could_not_mean_is_refused_by_name(changes: dict[str, object], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        ask_for(**changes)
    assert told in caught.value.message
    assert caught.value.remedy
