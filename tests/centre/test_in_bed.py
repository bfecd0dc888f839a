"""doctor --site and accept on a real Slurm, as a normal user, with the app as `make install` puts it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.centre.sites import render_bed_site
from tests.testbed.bed import Bed

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
CURC_LLM = Path(sys.executable).with_name("curc-llm")
# Importing the real vLLM takes a minute of a busy machine; accept does that.
STAND_IN = """#!/bin/sh
PYTHONPATH={folder}/modules exec {python} "$@"
"""


@pytest.fixture(scope="module")
def place(slurm_bed: Bed) -> Iterator[Path]:
    """A folder that every user and every node of the bed sees."""
    folder = slurm_bed.ground.folder / "centre"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "modules" / "vllm").mkdir(parents=True)
    (folder / "modules" / "vllm" / "__init__.py").touch()
    (folder / "python").write_text(STAND_IN.format(folder=folder, python=sys.executable))
    (folder / "python").chmod(0o755)
    (folder / "site.yml").write_text(render_bed_site(str(slurm_bed.ground.home)))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def call(
    bed: Bed, place: Path, *arguments: str | Path, site: str = "site.yml", knows_nodes: bool = True
) -> Any:
    """`curc-llm` as the bed's user; what it said, its exit status, and its JSON."""
    user = bed.ground.user
    front = [*(bed.knowing_nodes() if knows_nodes else []), *bed.as_user(user)]
    state = bed.home() / "state"
    environment = {"CURC_LLM_SITE": str(place / site), "CURC_LLM_STATE_DIR": str(state)}
    done = subprocess.run(
        [*front, CURC_LLM, *arguments, "--json"], env=bed.user_environment(user) | environment,
        cwd="/", capture_output=True, text=True, timeout=560,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done, json.loads(done.stdout)


@pytest.fixture(scope="module")
def app(place: Path) -> Path:
    """The app, installed with `make install`."""
    told = {
        "APP": place / "apps" / "curc-llm",
        "SITE": place / "site.yml",
        "RUNTIME_PYTHON": place / "python",
    }
    variables = [f"{name}={value}" for name, value in told.items()]
    subprocess.run(["make", "-C", ROOT, "install", *variables], check=True, capture_output=True)
    return place / "apps" / "curc-llm"


def by_level(told: dict[str, Any], level: str) -> dict[str, str]:
    return {f"{f['subject']}: {f['what']}": f["message"] for f in told["findings"] if f["level"] == level}


def test_doctor_finds_nothing_to_mend_in_a_good_installation(slurm_bed: Bed, place: Path, app: Path) -> None:
    done, told = call(slurm_bed, place, "doctor", "--site", "--app", app, "--probe")
    assert by_level(told, "differs") == {}
    assert done.returncode == 0
    # What nobody can know here: there is no Open OnDemand on this machine, and no NVIDIA driver.
    assert set(by_level(told, "unknown")) == {"portal: files", "compute node: driver"}
    fine = by_level(told, "ok")
    assert {
        "compute node: reach",
        "compute node: state_dir",
        "compute node: vLLM",
        "app: launch table",
    } <= set(fine)
    assert len(fine) > 130


@pytest.mark.parametrize(
    ("old", "new", "subject"),
    [
        ("max_time_h: 24", "max_time_h: 23", "QoS gpu-normal: max_time_h"),
        ("su_per_gpu_h: 370.4", "su_per_gpu_h: 370.5", "partition ah200: su_per_gpu_h of h200"),
        ("max_cores_per_gpu: 32", "max_cores_per_gpu: 31", "partition ah200: max_cores_per_gpu of h200"),
        ("max_cores_per_gpu: 32", "max_cores_per_gpu: 33", "partition ah200: largest job of one h200"),
        ("357.4", "356.4", "partition ah200: max_memory_per_gpu_gib of h200"),
    ],
)
def test_one_changed_figure_is_found(slurm_bed: Bed, place: Path, old: str, new: str, subject: str) -> None:
    text = (place / "site.yml").read_text()
    assert old in text
    (place / "changed.yml").write_text(text.replace(old, new, 1))
    done, told = call(slurm_bed, place, "doctor", "--site", site="changed.yml")
    assert set(by_level(told, "differs")) == {subject}
    assert done.returncode == 1


@pytest.mark.engine
def test_every_promise_is_kept_by_a_real_session(slurm_bed: Bed, place: Path) -> None:
    report = slurm_bed.home() / "report"
    done, told = call(slurm_bed, place, "accept", "--output", report)
    verdicts = {p["name"]: p["verdict"] for p in told["promises"]}
    found = {p["name"]: p["found"] for p in told["promises"]}
    assert {name for name, verdict in verdicts.items() if verdict != "kept"} == set(), found
    assert done.returncode == 0
    assert set(verdicts) >= {
        "connection", "page_at_once", "portal_path", "phases", "login_once", "endpoint",
        "refused_without_key", "time_left", "stop", "cost",
    }  # fmt: skip
    text = (report / "report.md").read_text()
    assert "Every promise is kept." in text
    secrets = [p.read_text() for p in slurm_bed.home().rglob("api.key")]
    assert secrets == []  # the session took its own away
    assert slurm_bed.run("squeue", "-h", "-u", slurm_bed.ground.user).stdout.strip() == ""


def test_a_broken_promise_fails_visibly_and_the_session_is_ended(slurm_bed: Bed, place: Path) -> None:
    """Names of nodes that can't be resolved on the login node, as behind a wrong DNS or a firewall."""
    report = slurm_bed.home() / "broken"
    options = ("--output", report, "--ready-min", "0.01")
    done, told = call(slurm_bed, place, "accept", *options, knows_nodes=False)
    broken = {p["name"] for p in told["promises"] if p["verdict"] == "broken"}
    assert {"page_at_once", "portal_path", "ready", "refused_without_key"} <= broken
    assert "stop" not in broken
    assert done.returncode == 1
    assert "BROKEN" in done.stderr
    assert (
        f"{len(broken)} of {len(told['promises'])} promises are broken." in (report / "report.md").read_text()
    )
    assert slurm_bed.run("squeue", "-h", "-u", slurm_bed.ground.user).stdout.strip() == ""
