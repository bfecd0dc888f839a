"""A session is handed to Slurm, and ended there; with Slurm's commands as scripts."""

from __future__ import annotations

import stat
import sys

import pytest

from curc_llm.errors import LaunchError, SlurmError, SlurmSilentError
from curc_llm.launch import slurm as launching
from curc_llm.launch.queued import SlurmSession, load_session
from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.launch.slurm import launch_slurm, make_submission, stop_slurm
from curc_llm.plan.facts import Facts
from curc_llm.plan.request import PlanRequest
from curc_llm.session.paths import SessionPaths
from curc_llm.session.slurm_note import read_slurm_note
from curc_llm.settings import Settings
from curc_llm.sites.site import Runtime
from curc_llm.slurm.command import Slurm
from curc_llm.spec import LaunchSpec
from tests.fakes.fake_slurm import FakeSlurm
from tests.launch.test_queued import run_elsewhere

RUNTIME = Runtime(source="test")


@pytest.fixture
def spec(settings: Settings, alpine: Facts) -> LaunchSpec:
    return make_slurm_spec(SessionRequest(plan=PlanRequest(model="demo", hours=1)), settings, facts=alpine)


def test_a_launch_writes_a_private_folder_and_submits(slurm: FakeSlurm, spec: LaunchSpec) -> None:
    assert launch_slurm(spec, RUNTIME, Slurm()) == "77"
    paths = SessionPaths(spec.session_dir)
    note = read_slurm_note(paths.slurm)
    assert note is not None
    assert note.job_id == "77"
    for path in (paths.spec, paths.slurm, paths.log("job")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.root.stat().st_mode) == 0o700
    assert slurm.script.endswith(f"exec {sys.executable} -P -m curc_llm.job {paths.spec}\n")
    assert f"--output={paths.log('job')}" in slurm.called("sbatch")[0]
    assert "--partition=artxpro6000" in slurm.called("sbatch")[0]


def test_the_sites_runtime_is_what_the_job_runs_with(spec: LaunchSpec) -> None:
    runtime = RUNTIME.model_copy(update={"python": "/opt/llm/bin/python", "modules": ("cuda/12.8",)})
    script = make_submission(spec, runtime).script
    assert "module load cuda/12.8" in script
    assert "exec /opt/llm/bin/python -P -m curc_llm.job" in script


def test_a_refused_launch_leaves_nothing(slurm: FakeSlurm, spec: LaunchSpec) -> None:
    slurm.refuses("Invalid account or account/partition combination specified")
    with pytest.raises(SlurmError):
        launch_slurm(spec, RUNTIME, Slurm())
    assert not spec.session_dir.exists()


def test_when_slurm_falls_silent_the_folder_stays_for_the_job_may_exist(
    slurm: FakeSlurm, spec: LaunchSpec
) -> None:
    slurm.is_silent()
    with pytest.raises(SlurmSilentError, match="isn't known") as silence:
        launch_slurm(spec, RUNTIME, Slurm())
    assert spec.session_id in silence.value.remedy
    assert SessionPaths(spec.session_dir).spec.exists()


def test_a_folder_that_cannot_be_written_is_told(slurm: FakeSlurm, spec: LaunchSpec) -> None:
    spec.state_dir.mkdir(parents=True)
    (spec.state_dir / "sessions").write_text("in the way")
    with pytest.raises(LaunchError, match="can't be written"):
        launch_slurm(spec, RUNTIME, Slurm())
    assert slurm.calls == []


def test_a_spec_for_this_machine_is_not_submitted(spec: LaunchSpec) -> None:
    with pytest.raises(LaunchError, match="isn't one for Slurm"):
        make_submission(spec.model_copy(update={"slurm": None}), RUNTIME)


@pytest.fixture
def waiting(slurm: FakeSlurm, spec: LaunchSpec) -> SlurmSession:
    launch_slurm(spec, RUNTIME, Slurm())
    slurm.queue("77", "PENDING", "Priority")
    found = load_session(spec.session_dir)
    assert isinstance(found, SlurmSession)
    return found


def test_a_waiting_session_is_cancelled(
    slurm: FakeSlurm, waiting: SlurmSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "POLL_S", 0.01)
    slurm.past("77", "CANCELLED by 1000")
    record = stop_slurm(waiting, Slurm())
    assert record.status == "ended"
    assert slurm.called("scancel") == ["scancel 77"]


@pytest.mark.slow
def test_a_running_session_is_asked_first_and_cancelled_when_it_does_not_heed(
    slurm: FakeSlurm, waiting: SlurmSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_elsewhere(waiting.paths)
    slurm.queue("77", "RUNNING", nodes="c1")
    found = load_session(waiting.paths.root)
    assert isinstance(found, SlurmSession)
    monkeypatch.setattr(launching, "POLL_S", 0.01)
    monkeypatch.setattr(launching, "SOFT_STOP_S", 0.1)
    with pytest.raises(LaunchError, match="hasn't ended"):
        stop_slurm(found, Slurm(), timeout_s=0.6)
    assert slurm.called("scancel") == ["scancel --batch --signal=TERM 77", "scancel 77"]
    slurm.past("77", "CANCELLED")
    assert stop_slurm(found, Slurm()).reason is not None
    assert not found.paths.api_key.exists()


def test_stopping_while_slurm_is_silent_says_so(slurm: FakeSlurm, waiting: SlurmSession) -> None:
    slurm.is_silent()
    with pytest.raises(SlurmSilentError):
        stop_slurm(waiting, Slurm())
