"""What Slurm is asked for when nodes are to be looked at."""

from __future__ import annotations

import pytest

from curc_llm.errors import SiteError
from curc_llm.launch.preflight_job import PreflightAsked, explain_late, explain_over, make_preflight_request
from curc_llm.slurm.job import Job
from curc_llm.slurm.state import JobState
from tests.plan.shipped import facts_of

CAPELLA = facts_of("capella").site


def test_a_short_job_with_a_gpu_on_each_node() -> None:
    request = make_preflight_request(PreflightAsked(num_nodes=3, account="p_lm"), CAPELLA)
    assert (request.partition, request.num_nodes, request.gres) == ("capella", 3, "gpu:1")
    assert (request.account, request.qos, request.time_s) == ("p_lm", "normal", 300)


@pytest.mark.parametrize(
    ("asked", "site", "told"),
    [
        (PreflightAsked(partition="aa100"), "alpine", "A job in aa100 may have 1 node, not 2."),
        (PreflightAsked(partition="nope"), "capella", "capella has no partition 'nope'. It has: capella."),
        (PreflightAsked(gpus_per_node=5), "capella", "A node in capella has 4 h100, not 5."),
        (PreflightAsked(gpu="l40x"), "capella", "l40x"),
    ],
)
def test_what_the_site_does_not_have_is_refused_before_anything_is_submitted(
    asked: PreflightAsked, site: str, told: str
) -> None:
    with pytest.raises(SiteError) as caught:
        make_preflight_request(asked, facts_of(site).site)
    assert told in str(caught.value)


def test_a_job_that_still_waits_is_not_said_to_have_ended() -> None:
    waiting = Job("7", JobState.PENDING, reason="Resources")
    told = explain_late(waiting, 60)
    assert told.startswith("Job 7 still waited in the queue after 60 s (")
    assert waiting.why_waiting in told


def test_a_job_that_never_looked_says_how_it_ended_and_one_that_did_says_its_last_words() -> None:
    assert "was cancelled before it had looked" in explain_over(Job("7", JobState.CANCELLED), "slurmstepd")
    assert "ended (NODE_FAIL) before it had looked" in explain_over(Job("7", JobState.NODE_FAIL), "")
    assert explain_over(Job("7", JobState.FAILED), "No module") == "Job 7 ended without a report: No module"
