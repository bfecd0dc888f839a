from __future__ import annotations

import pytest

from curc_llm.slurm.start import ExpectedStart, parse_test_only


@pytest.mark.parametrize(
    "text",
    [
        "sbatch: Job 7 to start at 1795264750 using 6 processors on nodes tn1 in partition al40",
        "sbatch: Job 7 to start at 1795264750 a using 6 processors on tn1\n",
    ],
)
def test_slurms_sentence_gives_time_and_nodes(text: str) -> None:
    assert parse_test_only(text) == ExpectedStart(1795264750.0, "tn1")


def test_another_sentence_gives_nothing() -> None:
    assert parse_test_only("sbatch: something new") == ExpectedStart()
