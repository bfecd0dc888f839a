"""What the job filter and Slurm refuse is told in one sentence with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.errors import SlurmError
from curc_llm.slurm.refusals import REFUSALS, explain_refusal, is_silence
from tests.slurm.login import log_in
from tests.testbed.bed import Bed

LINES = (Path(__file__).parent / "data" / "filter_refusals.tsv").read_text().splitlines()[1:]
# CURC's number → its text with values, and what must be told of them.
DOCUMENTED = {int(number): (text, told) for number, text, told in (line.split("\t") for line in LINES)}
USUAL = {
    "--partition": "al40", "--qos": "gpu-normal", "--nodes": "1", "--ntasks": "1", "--gres": "gpu:l40:1",
    "--time": "60",
}  # fmt: skip
# What provokes each in the test bed. 5 and 6 sbatch refuses by itself; 19 needs a QoS with a least time.
PROVOKED = {
    1: {"--qos": "gpu-testing"},
    2: {"--nodes": None},
    3: {"--nodes": "2", "--ntasks": "2"},
    4: {"--gres": "gpu:l40:1,gpu:h200:1"},
    7: {"--gres": "gpu:h200:1"},
    8: {"--gres": "gpu:l40:4"},
    9: {"--ntasks": None},
    10: {"--ntasks": "30"},
    11: {"--cpus-per-task": "30"},
    12: {"--mem": "100G"},
    13: {"--partition": None},
    14: {"--partition": "al40,urgent"},
    15: {"--qos": None},
    16: {"--qos": "gpu-normal,gpu-long"},
    17: {"--time": None},
    18: {"--time": "25:00:00"},
    20: {"--gres": None},
    21: {"--partition": "al40,aa100"},
}
URGENT = {"--partition": "urgent"}
SLURMS_OWN = [
    ({"--account": "nosuch"}, "Slurm doesn't know you under that account", "--account"),
    ({"--account": "csu-general"}, "Slurm doesn't know you under that account", "sacctmgr show assoc"),
    ({"--partition": "nosuch"}, "The partition doesn't exist.", "--partition"),
    ({"--reservation": "nosuch"}, "The reservation doesn't exist", "--reservation"),
    ({"--constraint": "nosuch"}, "No node has the feature", "without"),
    ({"--gres": "nosuch:1"}, "The GPU type is one that Slurm doesn't know", "curc-llm gpus"),
    (URGENT | {"--gres": "gpu:l40:9", "--qos": "gh200"}, "No node of the partition has so many", "gpus"),
    (URGENT | {"--mem": "9000G"}, "No node of the partition has so many", "fewer GPUs"),
    (URGENT | {"--qos": "nosuch"}, "That QoS doesn't exist", "--qos"),
    (URGENT | {"--time": "60000"}, "More time was asked for than is allowed.", "fewer hours"),
    (URGENT | {"--gres": "gpu:l40:9"}, "More GPUs were asked for", "fewer GPUs"),
]  # fmt: skip


@pytest.mark.parametrize("code", DOCUMENTED)
def test_each_documented_refusal_is_told_with_its_values_and_a_remedy(code: int) -> None:
    text, told = DOCUMENTED[code]
    for said in (text, text.replace("`", "")):
        message, remedy = explain_refusal(
            f"sbatch: error: {said}\nBatch job submission failed: Unspecified error"
        )
        assert told in f"{message} {remedy}"
        assert message.endswith(".")
        assert message.count(". ") == 0
        assert remedy
        assert "`" not in message


def test_every_row_has_a_sentence_and_a_remedy() -> None:
    for row in REFUSALS:
        assert row.message.endswith("."), row
        assert row.remedy.endswith("."), row


def test_a_text_that_nobody_knows_is_passed_on_without_its_noise() -> None:
    said = "sbatch: error: The moon is full\x1b[2J.\nsbatch: error: Batch job submission failed: "
    said += "Unspecified error\n"
    assert explain_refusal(said)[0] == "Slurm refused it and said: The moon is full[2J."
    assert explain_refusal("")[0] == "Slurm refused it and said: nothing."


@pytest.mark.parametrize(
    "text",
    [
        "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sacct: error: slurm_persist_conn_open: failed to send persistent connection init message to db:6819",
        "sacct: error: Problem talking to the database: Connection refused",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "slurm_load_jobs error: Slurm backup controller in standby mode",
    ],
)
def test_silence_is_told_apart_from_a_refusal(text: str) -> None:
    assert is_silence(text)
    assert not any(is_silence(said) for said, _ in DOCUMENTED.values())


def provoke(bed: Bed, changes: dict[str, str | None]) -> SlurmError:
    options = [f"{name}={value}" for name, value in (USUAL | changes).items() if value is not None]
    with pytest.raises(SlurmError) as caught:
        log_in(bed, bed.ground.user).query("sbatch", "--test-only", *options, "--wrap=true")
    return caught.value


@pytest.mark.slurm
@pytest.mark.parametrize("code", PROVOKED)
def test_the_real_job_filter_refuses_and_it_is_told(slurm_bed: Bed, code: int) -> None:
    error = provoke(slurm_bed, PROVOKED[code])
    assert (error.message, error.remedy) == explain_refusal(DOCUMENTED[code][0])


@pytest.mark.slurm
@pytest.mark.parametrize(("changes", "sentence", "remedy"), SLURMS_OWN)
def test_what_slurm_itself_refuses_is_told(
    slurm_bed: Bed, changes: dict[str, str | None], sentence: str, remedy: str
) -> None:
    error = provoke(slurm_bed, changes)
    assert sentence in error.message
    assert remedy in error.remedy
