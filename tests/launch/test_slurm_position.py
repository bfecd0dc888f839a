"""A job's place in the queue."""

from __future__ import annotations

import pytest

from curc_llm.launch.slurm_position import Position, ask_position, parse_position
from curc_llm.slurm.command import Slurm
from tests.fakes.fake_slurm import FakeSlurm


@pytest.mark.parametrize(
    ("job_id", "place"),
    [("8", 1), ("3", 2), ("7", 3), ("12_[1-4]", 4)],
)
def test_higher_priority_goes_first_then_the_older_job(job_id: str, place: int) -> None:
    assert parse_position("10 7\n20 8\n10 12_[1-4]\n10 3\n", job_id) == Position(place, 4)


def test_a_job_that_is_not_listed_has_no_place() -> None:
    assert parse_position("", "7") is None
    assert parse_position("10 8\nnonsense\n", "7") is None


def test_slurm_is_asked_for_the_partition_and_may_be_silent(slurm: FakeSlurm) -> None:
    slurm.says("squeue", "5 77\n")
    assert ask_position(Slurm(), "77", "aa100") == Position(1, 1)
    assert "--partition=aa100" in slurm.called("squeue")[0]
    slurm.is_silent()
    assert ask_position(Slurm(), "77", "aa100") is None
