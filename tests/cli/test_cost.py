"""What sessions cost, beside what was planned: real jobs, and texts of sacct where none is needed."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.plan.request import PlanRequest
from curc_llm.session.files import write_private
from curc_llm.session.paths import SessionPaths
from curc_llm.session.slurm_note import SlurmNote, write_slurm_note
from curc_llm.settings import load_settings
from curc_llm.spec import LaunchSpec
from tests.cli.conftest import Run
from tests.testbed.bed import Bed
from tests.testbed.faults import dead


def make_session(job_id: str, **fields: str) -> LaunchSpec:
    """A session's folder as `launch` leaves it, for a job that runs."""
    asked = PlanRequest(model="qwen3-4b", gpu_type="l40", num_gpus=1, hours=2)
    spec = make_slurm_spec(SessionRequest(plan=asked), load_settings()).model_copy(update=fields)
    paths = SessionPaths(spec.session_dir)
    paths.make()
    write_private(paths.spec, spec.model_dump_json())
    write_slurm_note(paths.slurm, SlurmNote(job_id=job_id, submitted_at=time.time()))
    return spec


@pytest.fixture
def sacct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Slurm whose accounting says what is written into the file; its queue is empty."""
    folder, said = tmp_path / "bin", tmp_path / "said"
    folder.mkdir()
    for name, text in (("sacct", f"cat {said}"), ("squeue", "exit 0")):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return said


def test_without_a_session_in_slurm_it_is_said_what_to_name(run: Run) -> None:
    result = run("cost")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "curc-llm cost JOB" in result.stderr
    assert json.loads(run("cost", "--json").stdout) == {"jobs": [], "total": {}}


def test_a_name_that_no_session_has_is_refused(run: Run) -> None:
    result = run("cost", "slurm-nosuch")
    assert result.exit_code == 1
    assert "no session 'slurm-nosuch'" in result.stderr


def test_a_session_without_a_job_costs_nothing(run: Run, fake: object) -> None:
    session_id = json.loads(run("ls", "--json").stdout)[0]["session_id"]
    result = run("cost", session_id)
    assert result.exit_code == 1
    assert "isn't a Slurm job" in result.stderr


def test_sessions_jobs_and_their_sum_fit_a_screen(run: Run, sacct: Path) -> None:
    sacct.write_text(
        "41|RUNNING|3600|al40|gpu-normal|cpu=6,gres/gpu:l40=1,gres/gpu=1\n"
        "42|TIMEOUT|7200|aa100|gpu-normal|cpu=21,gres/gpu:a100-40gb=1,gres/gpu=1\n"
    )
    make_session("41")
    result = run("cost", "41", "42", "43")
    assert result.exit_code == 0
    head, first, second, third, total = result.stdout.splitlines()
    assert "114.6 SU" in first
    assert "running" in first
    assert second.split()[:3] == ["42", "-", "timeout"]
    assert "259.2 SU" in second
    assert "unknown" in third
    assert "373.8 SU" in total
    assert len(head) <= 100


def test_it_is_said_which_jobs_another_session_has_started(run: Run, sacct: Path) -> None:
    line = "|RUNNING|3600|al40|gpu-normal|cpu=6,gres/gpu:l40=1,gres/gpu=1\n"
    sacct.write_text("".join(f"{number}{line}" for number in (41, 42, 43)))
    first = make_session("41").session_id
    replica = make_session("42", parent=first).session_id
    after = make_session("43", predecessor=first).session_id
    text = run("cost").stdout
    assert f"{replica} is a replica of {first}." in text
    assert f"{after} goes on for {first}." in text
    told = {job["job_id"]: job for job in json.loads(run("cost", "--json").stdout)["jobs"]}
    assert [told[n]["replica_of"] for n in ("41", "42", "43")] == [None, first, None]
    assert [told[n]["successor_of"] for n in ("41", "42", "43")] == [None, None, first]


def test_the_sum_is_that_of_the_figures_that_are_shown(run: Run, sacct: Path) -> None:
    """Three jobs of 0.35 SU or so each: people add up what they see."""
    line = "|RUNNING|{s}|al40|gpu-normal|cpu=6,gres/gpu:l40=1,gres/gpu=1\n"
    sacct.write_text("".join(f"{n}{line.format(s=s)}" for n, s in ((41, 11), (42, 11), (43, 11))))
    lines = run("cost", "41", "42", "43").stdout.splitlines()
    shown = [float(figure) for figure in re.findall(r"([\d.]+) SU", "\n".join(lines[1:]))]
    assert len(shown) == 4
    assert shown[3] == pytest.approx(sum(shown[:3]))


def test_the_json_tells_used_and_planned(run: Run, sacct: Path) -> None:
    sacct.write_text("41|RUNNING|3600|al40|gpu-normal|cpu=6,gres/gpu:l40=1,gres/gpu=1\n")
    spec = make_session("41")
    plan = spec.origins[0].plan
    assert plan is not None
    told = json.loads(run("cost", "--json").stdout)
    (job,) = told["jobs"]
    assert (job["session_id"], job["job_id"], job["state"]) == (spec.session_id, "41", "RUNNING")
    assert job["su"] == pytest.approx(114.6)
    assert job["planned_su"] == plan.su_total
    assert job["planned_su_so_far"] == pytest.approx(plan.su_per_h)
    assert told["total"]["SU"]["used"] == pytest.approx(114.6)


@pytest.mark.slurm
def test_a_real_jobs_cost_grows_with_the_time_that_it_runs(
    run: Run, free_bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", str(free_bed.ground.slurm_conf))
    job_id = free_bed.run(
        "sbatch", "--parsable", "--partition=al40", "--qos=gpu-normal", "--nodes=1", "--ntasks=1",
        "--cpus-per-task=6", "--gres=gpu:l40:1", "--time=120", "--output=/dev/null", "--wrap=sleep 600",
    ).stdout.strip()  # fmt: skip
    spec = make_session(job_id)
    end = time.monotonic() + 30
    while (job := json.loads(run("cost", spec.session_id, "--json").stdout)["jobs"][0])["su"] in (None, 0):
        assert time.monotonic() < end, job
        time.sleep(0.5)
    assert job["su"] == pytest.approx((6 + 108.6) * job["elapsed_s"] / 3600)
    assert (job["gpu_type"], job["num_gpus"], job["cores"]) == ("l40", 1, 6)
    with dead(free_bed, "slurmdbd"):
        silent = run("cost", job_id)
    assert silent.exit_code == 0
    assert "unknown" in silent.stdout
    assert "accounting is silent" in silent.stderr
