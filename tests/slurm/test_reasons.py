"""Every reason that Slurm gives for a job that waits is explained in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.slurm.reasons import explain_reason, will_never_start

REASONS = (Path(__file__).parent / "data" / "reasons.txt").read_text().split()


@pytest.mark.parametrize("word", REASONS)
def test_a_reason_of_slurms_is_explained(word: str) -> None:
    text = explain_reason(word)
    assert text
    assert not text.startswith("Slurm says")
    assert word not in text
    assert len(text) <= 100
    assert "{" not in text


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("QOSMaxGRESPerUser", "you hold all the GPUs that one person may at once with its QoS"),
        ("QOSGrpGRES", "all that its QoS may use at once is in use (GPUs)"),
        ("QOSMaxJobsPerUserLimit", "as many of your jobs run as may at once with its QoS"),
        ("AssocGrpBillingMinutes", "the service units of its account are used up"),
        (
            "AssocGrpCPURunMinutesLimit",
            "the running jobs of its account have as many hours of cores before them",
        ),
        ("MaxGRESPerAccount", "its account holds all the GPUs that it may at once"),
        (
            "QOSMaxWallDurationPerJobLimit",
            "more time than one job may have with its QoS: it will never start",
        ),
        ("ReqNodeNotAvail, Reserved for maintenance", "a maintenance begins on its nodes"),
        ("ReqNodeNotAvail, UnavailableNodes:c3gpu-a9-u29-1", "its nodes are down or reserved"),
        (
            "(Nodes required for job are DOWN, DRAINED or reserved for jobs)",
            "down or reserved for other jobs",
        ),
        ("job requeued in held state", "it is held"),
    ],
)
def test_a_reason_says_what_it_means(word: str, text: str) -> None:
    assert text in explain_reason(word)


def test_a_word_that_nobody_knows_is_passed_on() -> None:
    assert explain_reason("BrandNew") == "Slurm says: BrandNew"
    assert explain_reason("") == ""


def test_waiting_in_vain_is_told_apart_from_waiting() -> None:
    vain = {word for word in REASONS if will_never_start(word)}
    assert {"PartitionTimeLimit", "DependencyNeverSatisfied", "InvalidQOS", "QOSMaxGRESPerJob"} <= vain
    assert not vain & {
        "Priority",
        "Resources",
        "QOSMaxGRESPerUser",
        "QOSGrpGRES",
        "AssocGrpGRES",
        "BeginTime",
    }
