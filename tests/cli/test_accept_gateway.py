"""What the acceptance run calls kept: asked of a session with the real job, gateway and chat."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curc_llm.centre.accept_access import check_access
from curc_llm.centre.accept_service import check_service, check_start, see_cost
from curc_llm.centre.accepted import Accepted
from curc_llm.centre.promise import try_promise
from curc_llm.session.paths import SessionPaths
from curc_llm.session.store import discover_sessions, read_record
from curc_llm.sites.load import load_site
from curc_llm.slurm.command import Slurm
from tests.cli.conftest import REPOSITORY

pytestmark = pytest.mark.slow
Spawn = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def session(state_dir: Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accepted]:
    """A session whose engine only looks like vLLM."""
    monkeypatch.setenv("CURC_LLM_ENGINE_PYTHON", str(REPOSITORY / "tests/fakes/fake_engine_python.py"))
    monkeypatch.setenv("CURC_LLM_DEVICE", "cpu")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    started = spawn("demo", "--detach", "--json")
    assert started.returncode == 0, started.stderr
    card = json.loads(started.stdout)
    paths = SessionPaths(state_dir / "sessions" / card["session_id"])
    now = time.time()
    yield Accepted(
        paths, "42", "anna", load_site("alpine"), None, lambda: read_record(paths.record),
        job_start_at=now, seen_at={"address": now, "ready": now}, phases=["queued", "loading", "ready"],
        base_url=card["base_url"],
    )  # fmt: skip
    spawn("stop", "--all")
    for found in discover_sessions(state_dir):
        os.kill(found.record.pid, signal.SIGKILL)


@pytest.fixture
def slurm(tmp_path: Path) -> Slurm:
    """Slurm's answers about the job 42, which ran an hour on an L40 with 6 cores, and goes on."""
    end = int(time.time()) + 3600
    programs = {
        "squeue": f'echo "42|RUNNING|{end - 7200}|{end}|al40|gpu-normal|n1|None"',
        "sacct": 'case "$*" in *ElapsedRaw,QOS*) echo "3600|gpu-normal|billing=114,cpu=6,gres/gpu:l40=1";;'
        ' *) echo "42|COMPLETED|3600|al40|gpu-normal|billing=114,cpu=6,gres/gpu:l40=1,gres/gpu=1";; esac',
    }
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return Slurm(environment={"PATH": f"{folder}:/usr/bin:/bin"})


def test_a_good_session_keeps_its_promises(session: Accepted, slurm: Slurm) -> None:
    promises = [*check_start(session), *check_access(session), *check_service(session, slurm)]
    verdicts = {p.name: (p.verdict, p.found) for p in promises}
    broken = {name: found for name, (verdict, found) in verdicts.items() if verdict == "broken"}
    # This session is no Slurm job, so its record names no end.
    assert set(broken) == {"time_left"}, broken
    assert verdicts["refused_other_user"][0] == "kept"
    assert "events" in verdicts["streaming"][1]


class PlanStandIn:
    """What count_cost reads of a plan."""

    su_per_h = 114.6
    su_total = 458.4
    gpu_type = "l40"


@pytest.mark.parametrize(("rate", "verdict"), [(114.6, "kept"), (60.0, "broken")])
def test_the_cost_is_compared_with_the_plan_and_with_slurms_billing(
    tmp_path: Path, slurm: Slurm, rate: float, verdict: str
) -> None:
    plan = PlanStandIn()
    plan.su_per_h = rate
    session = Accepted(SessionPaths(tmp_path), "42", "anna", load_site("alpine"), plan, lambda: None)  # type: ignore[arg-type]
    found = try_promise("cost", "", lambda: see_cost(session, slurm))
    assert found.verdict == verdict, found
    assert "114.60 SU in 3600 s" in found.found
