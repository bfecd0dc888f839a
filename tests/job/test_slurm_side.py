"""A session as a Slurm job, with Slurm's commands as scripts: its clock, its signals, its clean start."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.session.paths import SessionPaths
from curc_llm.session.slurm_note import read_slurm_note
from curc_llm.spec import SlurmSpec
from tests.fakes.fake_slurm import FakeSlurm
from tests.job.conftest import Job, is_alive, wait_until

pytestmark = pytest.mark.slow
HAS_GPU = Path("/proc/driver/nvidia/gpus").is_dir()
IN_SLURM = SlurmSpec(partition="aa100", gres="gpu:a100-40gb:1")
Start = Callable[..., Job]


@pytest.fixture
def slurm(tmp_path: Path) -> FakeSlurm:
    return FakeSlurm(tmp_path / "slurm-bin")


@pytest.fixture
def start_slurm_job(start_job: Start, slurm: FakeSlurm) -> Start:
    """Starts a job as Slurm's number 77."""

    def start(environment: dict[str, str] | None = None, **fields: Any) -> Job:
        path = f"{slurm.folder}{os.pathsep}{os.environ['PATH']}"
        own = {"SLURM_JOB_ID": "77", "PATH": path, **(environment or {})}
        return start_job("one", environment=own, **{"slurm": IN_SLURM, "advertise_host": "", **fields})

    return start


def say(job: Job, why: str) -> None:
    """Writes what Slurm writes into a job's output."""
    with job.paths.log("job").open("a") as log:
        log.write(f"slurmstepd: error: *** JOB 77 ON c1 CANCELLED AT 2026-11-21T14:47:03{why} ***\n")


def tell_end(slurm: FakeSlurm, left_s: float) -> None:
    end = int(time.time() + left_s)
    slurm.says("squeue", f"77|RUNNING|{end - 3600}|{end}|aa100|gpu-normal|c1|None\n")


def test_the_session_knows_its_job_its_node_and_slurms_clock(
    start_slurm_job: Start, slurm: FakeSlurm
) -> None:
    tell_end(slurm, 1000)
    job = start_slurm_job(wall_time_s=3600.0)
    record = job.wait_for(lambda r: r.ready_at and r.ends_at and r.ends_at < time.time() + 1100)
    assert record.slurm_job_id == "77"
    assert record.base_url == f"http://{os.uname().nodename}:{record.port}/v1"
    assert "answers slowly" in record.warnings[0]
    note = read_slurm_note(job.paths.slurm)
    assert note is not None
    assert note.job_id == "77"


def test_slurms_warning_near_the_end_is_no_news_and_far_from_it_an_order(
    start_slurm_job: Start, slurm: FakeSlurm
) -> None:
    tell_end(slurm, 200)
    job = start_slurm_job()
    job.wait_for(lambda r: r.ready_at and r.ends_at)
    job.process.send_signal(signal.SIGUSR1)
    time.sleep(0.7)
    assert job.record.status == "ready"
    other = start_slurm_job(wall_time_s=3600.0, environment={"PATH": os.environ["PATH"]})
    other.wait_until_ready()
    other.process.send_signal(signal.SIGUSR1)
    reason = other.wait_for_end().reason
    assert reason is not None
    assert reason.code == "wall_time"


def test_a_time_limit_that_staff_shorten_is_noticed_at_slurms_warning_and_told(
    start_slurm_job: Start, slurm: FakeSlurm
) -> None:
    """Two minutes are left then: people are told, and the session goes on."""
    tell_end(slurm, 3000)
    job = start_slurm_job(wall_time_s=3600.0)
    job.wait_for(lambda r: r.ready_at and r.ends_at and r.ends_at < time.time() + 3100)
    tell_end(slurm, 118)
    job.process.send_signal(signal.SIGUSR1)
    record = job.wait_for(
        lambda r: r.ends_at < time.time() + 130 and any("save what" in w for w in r.warnings)
    )
    assert record.status == "ready"
    assert record.warnings[-1] == "The session's time ends within 2 minutes; save what you need."


def test_slurms_warning_while_slurm_says_that_the_end_is_far_is_an_order(
    start_slurm_job: Start, slurm: FakeSlurm
) -> None:
    tell_end(slurm, 3000)
    job = start_slurm_job(wall_time_s=3600.0)
    job.wait_until_ready()
    job.process.send_signal(signal.SIGUSR1)
    reason = job.wait_for_end().reason
    assert reason is not None
    assert reason.code == "wall_time"


def test_the_session_ends_before_slurm_ends_it(start_slurm_job: Start, slurm: FakeSlurm) -> None:
    tell_end(slurm, 21)
    job = start_slurm_job(drain_s=2.0)
    record = job.wait_for_end()
    assert record.reason is not None
    assert record.ends_at is not None
    assert record.ended_at is not None
    assert record.reason.code == "wall_time"
    assert record.ends_at - record.ended_at > 10


@pytest.mark.parametrize(
    ("why", "code"),
    [
        (" DUE TO PREEMPTION", "preempted"),
        (" DUE TO JOB REQUEUE", "requeued"),
        (" DUE TO TIME LIMIT", "wall_time"),
        ("", "stopped"),
    ],
)
def test_the_record_says_why_slurm_ended_it_and_no_secret_is_left(
    start_slurm_job: Start, why: str, code: str
) -> None:
    job = start_slurm_job()
    job.wait_until_ready()
    say(job, why)
    began = time.monotonic()
    job.process.send_signal(signal.SIGTERM)
    record = job.wait_for_end()
    assert time.monotonic() - began < 10
    assert record.reason is not None
    assert record.reason.code == code
    assert not {path.name for path in job.paths.root.iterdir()} & {"api.key", "keys.json", "login.key"}


def test_a_job_that_starts_again_is_a_clean_start(start_slurm_job: Start, tmp_path: Path) -> None:
    first = start_slurm_job()
    first.wait_until_ready()
    key = first.paths.api_key.read_text()
    say(first, " DUE TO JOB REQUEUE")
    first.process.send_signal(signal.SIGTERM)
    assert first.wait_for_end().status == "failed"
    spec = json.loads(first.paths.spec.read_text())
    same = {"session_id": spec["session_id"], "session_dir": Path(spec["session_dir"])}
    again = start_slurm_job(**same)
    record = again.wait_for(lambda r: r.status == "ready")
    assert (record.reason, record.ended_at, record.session_id) == (None, None, same["session_id"])
    assert again.paths.api_key.read_text() != key


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_a_node_without_driver_ends_the_session_with_that_reason(start_slurm_job: Start) -> None:
    job = start_slurm_job(device="cuda")
    record = job.wait_for(lambda r: r.reason is not None)
    assert record.reason is not None
    assert record.reason.code == "no_gpu"
    assert job.wait_for_end().status == "failed"
    assert job.process.returncode == 1


def test_a_runtime_without_vllm_ends_the_session_with_that_reason(start_slurm_job: Start) -> None:
    record = start_slurm_job(engine_python="/bin/false").wait_for(lambda r: r.reason is not None)
    assert record.reason is not None
    assert record.reason.code == "no_runtime"


def test_the_owner_gets_an_e_mail_when_it_is_ready(
    start_slurm_job: Start, slurm: FakeSlurm, tmp_path: Path
) -> None:
    (slurm.folder / "sendmail").write_text(
        f"#!/bin/sh\ncat > {tmp_path}/mail.tmp; mv {tmp_path}/mail.tmp {tmp_path}/mail\n"
    )
    (slurm.folder / "sendmail").chmod(0o755)
    job = start_slurm_job(mail_on_ready=True, mail_user="anna@colorado.edu")
    mail = tmp_path / "mail"
    wait_until(mail.exists, what="the e-mail")
    text = mail.read_text()
    assert "To: anna@colorado.edu" in text
    assert job.paths.api_key.read_text().strip() not in text


def test_an_e_mail_that_cannot_be_sent_is_a_warning(start_slurm_job: Start, slurm: FakeSlurm) -> None:
    (slurm.folder / "sendmail").write_text("#!/bin/sh\necho no route >&2; exit 75\n")
    (slurm.folder / "sendmail").chmod(0o755)
    job = start_slurm_job(mail_on_ready=True)
    record = job.wait_for(lambda r: any("e-mail" in w for w in r.warnings))
    assert "no route" in record.warnings[-1]
    assert record.status == "ready"


def test_killed_with_its_guard_a_session_leaves_no_process_and_no_secret(start_slurm_job: Start) -> None:
    job = start_slurm_job()
    job.wait_until_ready()
    tree = job.tree()
    supervisor = job.find("curc_llm.job.run")
    supervisor.suspend()
    job.guard.kill()
    supervisor.kill()
    job.process.wait()
    wait_until(lambda: not [p for p in tree if is_alive(p)], 10, what="the end of every process")
    paths: SessionPaths = job.paths
    assert not [p for p in (paths.api_key, paths.login_secret, paths.keys) if p.exists()]
