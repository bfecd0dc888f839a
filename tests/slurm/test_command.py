"""Slurm's own commands: submitted, asked, cancelled, refused, silent, and what they get to see of ours."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from curc_llm.errors import NodesDownError, SlurmError, SlurmSilentError
from curc_llm.slurm.command import PASSED_ON, Slurm, check_job_id
from curc_llm.slurm.start import expect_start
from tests.slurm.login import log_in
from tests.slurm.requests import SCRIPT, ask_for
from tests.testbed.bed import Bed
from tests.testbed.daemon import wait_until
from tests.testbed.faults import dead, frozen

HOSTILE_IDS = [
    "",
    "0",
    "12;id",
    "--all",
    "-u root",
    "12 13",
    "12\n13",
    "x" * 500,
    "１２",
    "1e3",
    "12_3",
    "$(id)",
]


def state_of(bed: Bed, job_id: str) -> str:
    return bed.run("squeue", "-h", "--states=all", "-j", job_id, "-o", "%T").stdout.strip()


def fake(folder: Path, name: str, text: str) -> Slurm:
    program = folder / name
    program.write_text(text)
    program.chmod(0o755)
    return Slurm({"PATH": f"{folder}:/bin"}, query_s=1, submit_s=1)


@pytest.mark.parametrize("job_id", HOSTILE_IDS)
def test_what_is_no_job_id_never_reaches_slurm(job_id: str) -> None:
    with pytest.raises(SlurmError, match="isn't a job id") as caught:
        Slurm({"PATH": "/nowhere"}).cancel(job_id)
    assert len(caught.value.message) < 100


def test_a_job_id_is_accepted() -> None:
    assert check_job_id("18446744") == "18446744"


def test_without_slurm_it_is_said_what_else_there_is(tmp_path: Path) -> None:
    slurm = Slurm({"PATH": str(tmp_path)})
    assert not slurm.is_here()
    with pytest.raises(SlurmError, match="sbatch isn't on this machine") as caught:
        slurm.submit(ask_for(), SCRIPT)
    assert "curc-llm serve" in caught.value.remedy


def test_a_command_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(SlurmError, match="squeue can't be run"):
        fake(tmp_path, "squeue", "\x7fELF nonsense").query("squeue")


@pytest.mark.parametrize("answer", ["", "hello", "-1", "0;cluster"])
def test_sbatch_that_tells_no_job_id_is_not_believed(tmp_path: Path, answer: str) -> None:
    with pytest.raises(SlurmError, match="told no job id") as caught:
        fake(tmp_path, "sbatch", f"#!/bin/sh\ncat >/dev/null\necho '{answer}'").submit(ask_for(), SCRIPT)
    assert "squeue --me" in caught.value.remedy


def test_the_job_id_is_found_below_greetings_and_before_a_clusters_name(tmp_path: Path) -> None:
    slurm = fake(tmp_path, "sbatch", "#!/bin/sh\ncat >/dev/null\necho welcome\necho '42;alpine'")
    assert slurm.submit(ask_for(), SCRIPT) == "42"


@pytest.mark.slow
def test_a_command_that_never_answers_is_silence(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SlurmSilentError, match="no answer within 1 s"):
        fake(tmp_path, "squeue", "#!/bin/sh\nexec sleep 30").query("squeue")
    assert time.monotonic() - began < 5


def test_nothing_but_what_is_needed_is_passed_on(tmp_path: Path) -> None:
    fake(tmp_path, "squeue", "#!/bin/sh\nexec env")
    hostile = {
        "SBATCH_PARTITION": "x",
        "SQUEUE_FORMAT": "x",
        "HF_TOKEN": "secret",
        "PYTHONPATH": "/x",
        "TZ": "UTC",
    }
    seen = Slurm({"PATH": f"{tmp_path}:/usr/bin:/bin"} | hostile).query("squeue")
    names = {line.partition("=")[0] for line in seen.splitlines()} - {"PWD", "SHLVL", "_", "OLDPWD"}
    assert names == {"PATH", "TZ", "SLURM_TIME_FORMAT"}
    assert not set(hostile) & (set(PASSED_ON) - {"TZ"})


@pytest.mark.slurm
def test_a_job_starts_where_and_as_it_was_asked_with_a_clean_environment(free_bed: Bed) -> None:
    user, home = free_bed.ground.user, free_bed.home()
    slurm = log_in(free_bed, user)
    slurm.environment.update({"SBATCH_PARTITION": "aa100", "HF_TOKEN": "secret"})  # type: ignore[attr-defined]
    output = home / "100% $(id) 'job'.log"
    output.unlink(missing_ok=True)
    request = ask_for(output=output, account="ucb123_asc1")
    job_id = slurm.submit(request, "#!/bin/bash\npwd; id -un; env; echo end", home)
    assert wait_until(lambda: output.exists() and "\nend" in output.read_text(), 20)
    text = output.read_text()
    assert text.startswith(f"{home}\n{user}\n")
    assert "HF_TOKEN" not in text
    assert "SBATCH_PARTITION" not in text
    assert "SLURM_JOB_PARTITION=al40" in text
    assert "SLURM_JOB_ACCOUNT=ucb123_asc1" in text
    assert f"SLURM_JOB_ID={job_id}" in text


@pytest.mark.slurm
def test_a_cancelled_job_ends_and_cancelling_it_again_is_no_trouble(free_bed: Bed) -> None:
    slurm = log_in(free_bed, free_bed.ground.user)
    job_id = slurm.submit(ask_for(), SCRIPT, free_bed.home())
    slurm.cancel(job_id)
    assert wait_until(lambda: state_of(free_bed, job_id) == "CANCELLED", 15)
    slurm.cancel(job_id)


@pytest.mark.slurm
def test_a_neighbours_job_cannot_be_cancelled(free_bed: Bed) -> None:
    job_id = log_in(free_bed, free_bed.ground.neighbour).submit(
        ask_for(), SCRIPT, free_bed.home(free_bed.ground.neighbour)
    )
    with pytest.raises(SlurmError, match="may not change that job"):
        log_in(free_bed, free_bed.ground.user).cancel(job_id)
    assert state_of(free_bed, job_id) in {"PENDING", "RUNNING"}


@pytest.mark.slurm
def test_a_user_whose_name_has_an_at_sign_launches_too(free_bed: Bed) -> None:
    guest = free_bed.ground.guest
    output = free_bed.home(guest) / "job.log"
    output.unlink(missing_ok=True)
    log_in(free_bed, guest).submit(ask_for(output=output), "#!/bin/bash\nid -un", free_bed.home(guest))
    assert wait_until(lambda: output.exists() and guest in output.read_text(), 20)


@pytest.mark.slurm
def test_asking_submits_nothing_and_tells_when_a_job_would_start(free_bed: Bed) -> None:
    slurm = log_in(free_bed, free_bed.ground.user)
    expected = expect_start(slurm, ask_for())
    assert expected.at is not None
    assert abs(expected.at - time.time()) < 120
    assert expected.nodes in {"tn1", "tn2"}
    assert free_bed.run("squeue", "-h").stdout == ""


@pytest.mark.slurm
def test_asking_for_what_is_refused_says_so(slurm_bed: Bed) -> None:
    with pytest.raises(SlurmError, match="may have at most 3 GPU"):
        expect_start(log_in(slurm_bed, slurm_bed.ground.user), ask_for(gpus_per_node=4))


@pytest.mark.slurm
def test_nodes_that_are_drained_are_named_and_not_taken_for_too_small_ones(free_bed: Bed) -> None:
    slurm = log_in(free_bed, free_bed.ground.user)
    names = [node.name for node in free_bed.ground.nodes]
    free_bed.run("scontrol", "update", f"nodename={','.join(names)}", "state=drain", "reason=test")
    try:
        with pytest.raises(NodesDownError, match="down or drained: tn1, tn2") as caught:
            expect_start(slurm, ask_for())
        assert "sinfo -R" in caught.value.remedy
    finally:
        free_bed.run("scontrol", "update", f"nodename={','.join(names)}", "state=resume")


@pytest.mark.slurm
def test_an_overloaded_controller_is_silence(free_bed: Bed) -> None:
    slurm = log_in(free_bed, query_s=1, submit_s=1)
    with frozen(free_bed, "slurmctld"):
        with pytest.raises(SlurmSilentError, match="no answer within 1 s"):
            slurm.query("squeue")
        with pytest.raises(SlurmSilentError):
            slurm.submit(ask_for(), SCRIPT)
        assert expect_start(slurm, ask_for()).at is None
    # What was submitted into the silence may be a job all the same, as `submit` says.
    assert set(slurm.query("squeue", "-h", "-o", "%j").split()) <= {"curc-llm-test"}


@pytest.mark.slurm
@pytest.mark.slow
def test_a_dead_controller_is_silence_not_a_refusal(free_bed: Bed) -> None:
    slurm = log_in(free_bed)
    with dead(free_bed, "slurmctld"), pytest.raises(SlurmSilentError, match="can't be reached"):
        slurm.query("squeue")


def test_the_default_environment_is_the_process_own() -> None:
    assert Slurm().environment is os.environ
