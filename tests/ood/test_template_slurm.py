"""The template as a job of a real Slurm, of a user whose name has an @: quick to show, gone without trace."""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.ood.template_bench import CHECKOUT, DEMO, make_app, wait_until
from tests.testbed.bed import Bed

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
STARTED_S = 3.0  # as promised, on a machine that has nothing else to do
BUSY = 6.0  # times as long on one that runs other tests
GONE_S = 10.0


@pytest.fixture
def staged(free_bed: Bed) -> Iterator[Path]:
    """A staged launch of the bundled model, in the user's own home."""
    user = at_user(free_bed)
    folder = free_bed.home(user) / "ondemand" / "output" / str(uuid.uuid4())
    script = CHECKOUT / "tests" / "ood" / "template_stage.rb"
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to other users
        Path(place).chmod(0o755)
        app, values = make_app(Path(place) / "app"), Path(place) / "values.json"
        values.write_text(json.dumps(DEMO))
        free_bed.run("ruby", script, app, folder, values, user=user)
        yield folder
        free_bed.clear()


def at_user(bed: Bed) -> str:
    return next(name for name in bed.ground.users if "@" in name)


def submit(bed: Bed, staged: Path, requeue: str = "--no-requeue") -> str:
    """Submits as the portal does, with what CURC's job filter demands."""
    asked = ["--partition=al40", "--qos=gpu-normal", "--account=ucb-general", "--nodes=1", "--ntasks=1"]
    asked += ["--gres=gpu:l40:1", "--mem=4G", "--time=01:00:00", "--signal=B:USR1@120", requeue]
    more = ["-D", str(staged), "-o", str(staged / "output.log"), "--export", "NONE", "--parsable"]
    done = bed.run("sbatch", *asked, *more, str(staged / "job_script_content.sh"), user=at_user(bed))
    return done.stdout.strip().split(";")[0]


def started_at(bed: Bed, job_id: str) -> float:
    shown = bed.run("squeue", "-h", "-j", job_id, "-O", "StartTime:30").stdout.strip()
    return time.mktime(time.strptime(shown, "%Y-%m-%dT%H:%M:%S"))


def left_of(staged: Path) -> list[str]:
    """Command lines that name the session's folders."""
    session = str((staged / "session").resolve())
    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(staged) in line or session in line]


def test_the_card_runs_at_once_and_scancel_leaves_nothing(free_bed: Bed, staged: Path) -> None:
    job_id = submit(free_bed, staged)
    connection = staged / "connection.yml"
    wait_until(connection.exists, 90, "no connection.yml")
    began = started_at(free_bed, job_id)
    assert connection.stat().st_mtime - began < STARTED_S * BUSY
    wait_until(lambda: connection.read_text().count("\n") >= 4)
    told = yaml.safe_load(connection.read_text())
    record = json.loads((staged / "session" / "session.json").read_text())
    assert (told["port"], told["host"]) == (record["port"], record["host"])
    assert record["slurm_job_id"] == job_id
    assert connection.owner() == at_user(free_bed)

    free_bed.run("scancel", job_id, user=at_user(free_bed))
    wait_until(lambda: not left_of(staged), GONE_S * BUSY, "processes are left")
    record = json.loads((staged / "session" / "session.json").read_text())
    assert record["reason"]["code"] == "stopped"
    assert not {"api.key", "login.key", "keys.json"} & {p.name for p in (staged / "session").iterdir()}


def test_slurm_s_warning_ends_the_session_calmly(free_bed: Bed, staged: Path) -> None:
    job_id = submit(free_bed, staged)
    wait_until((staged / "connection.yml").exists, 90, "no connection.yml")
    free_bed.run("scancel", "--batch", "--signal=USR1", job_id, user=at_user(free_bed))
    wait_until(lambda: not left_of(staged), 60, "processes are left")
    record = json.loads((staged / "session" / "session.json").read_text())
    assert record["reason"]["code"] == "wall_time"
    state = "sacct", "-n", "-P", "-X", "-o", "State", "-j", job_id
    wait_until(lambda: free_bed.run(*state).stdout.strip() == "COMPLETED", 30, "the job failed")


def test_a_job_that_starts_again_elsewhere_has_a_card_that_leads_there(free_bed: Bed, staged: Path) -> None:
    job_id = submit(free_bed, staged, "--requeue")
    connection = staged / "connection.yml"
    wait_until(connection.exists, 90, "no connection.yml")
    first = json.loads((staged / "session" / "session.json").read_text())
    node = free_bed.run("squeue", "-h", "-j", job_id, "-o", "%N").stdout.strip()
    free_bed.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    try:
        free_bed.run("scontrol", "requeue", job_id)
        wait_until(lambda: "PENDING" in free_bed.run("squeue", "-h", "-j", job_id, "-o", "%T").stdout, 60)
        free_bed.run("scontrol", "update", f"JobId={job_id}", "StartTime=now", check=False)
        wait_until(lambda: second_record(staged, first["host"]) is not None, 120, "it didn't start again")
        wait_until(lambda: connection.exists() and f"host: {first['host']}" not in connection.read_text(), 60)
    finally:
        free_bed.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
    again = second_record(staged, first["host"])
    assert again is not None
    assert (again["session_id"], again["status"] == "ended") == (first["session_id"], False)
    assert yaml.safe_load(connection.read_text())["host"] == again["host"]


def second_record(staged: Path, first_host: str) -> dict[str, Any] | None:
    """The record of the run on another node, once it has a port."""
    try:
        record = dict(json.loads((staged / "session" / "session.json").read_text()))
    except (OSError, ValueError):
        return None
    return record if record["host"] != first_host and record["port"] else None
