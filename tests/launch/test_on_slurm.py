"""Sessions as jobs of a real Slurm, as a person who isn't root: launched, used, requeued, lost, ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.testbed.bed import Bed
from tests.testbed.login import Login

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
SECRETS = {"api.key", "keys.json", "login.key"}


@pytest.fixture
def anna(free_bed: Bed) -> Login:
    """A researcher, with an engine that is ready in a second."""
    login = Login(free_bed)
    login.clear()
    login.use_fake_engine()
    return login


def launch(login: Login, *options: str) -> str:
    """A session that is ready; its id."""
    return str(login.ask_json("launch", "demo", "--hours", "1", "--wait", *options)["session_id"])


def phases(login: Login, session_id: str) -> list[str]:
    """What each engine of a session is doing."""
    record = login.record(session_id)
    return [engine.phase for engine in record.engines] if record is not None else []


def check_nothing_is_left(login: Login, session_id: str, within_s: float = 10) -> None:
    login.wait_until(lambda: not login.processes(), within_s, f"the end of {login.processes()}")
    left = {path.name for path in login.paths(session_id).root.iterdir()}
    assert not left & SECRETS


def resume(bed: Bed, *names: str) -> None:
    """Gives nodes back to Slurm, which refuses that while they still clear up."""
    for name in names:
        for _ in range(50):
            if bed.run("scontrol", "update", f"nodename={name}", "state=resume", check=False).returncode == 0:
                break
            time.sleep(0.5)


def test_a_launch_is_ready_answers_and_stops_without_a_trace(anna: Login) -> None:
    done = anna.curc_llm("launch", "demo", "--hours", "1", "--wait")
    assert "curc-guide is ready." in done.stdout
    name = re.search(r"Session (slurm-\w+) is submitted as job (\d+)", done.stderr)
    assert name is not None
    assert anna.curc_llm("ask", "-s", name[1], "Hello").stdout.strip()
    listed = anna.ask_json("ls")
    assert [(s["session_id"], s["status"], s["slurm_job_id"]) for s in listed] == [
        (name[1], "ready", name[2])
    ]
    assert listed[0]["ends_at"] - listed[0]["started_at"] == pytest.approx(3600, abs=60)
    stopped = anna.ask_json("stop", name[1])
    assert stopped["reason"]["code"] == "stopped"
    check_nothing_is_left(anna, name[1])
    assert "COMPLETED" in anna.run("sacct", "-X", "-n", "-j", name[2], "-o", "state").stdout


def test_replicas_share_a_job_of_which_a_repeat_is_another_with_the_same_request(anna: Login) -> None:
    first = launch(anna, "--idle-stop-min", "9", "--gpu", "l40", "--replicas", "2")
    anna.curc_llm("stop", first)
    again = anna.ask_json("repeat", first, "--wait")["session_id"]
    assert again != first
    anna.wait_until(lambda: phases(anna, again) == ["ready"] * 2, 60, "both replicas")
    assert anna.run("squeue", "--me", "--noheader", "--format=%b").stdout.split() == ["gres:gpu:l40:2"]
    assert anna.curc_llm("ask", "-s", again, "Hello").stdout.strip()
    assert {engine["served_model_name"] for engine in anna.status(again)["engines"]} == {"curc-guide"}


@pytest.mark.parametrize("how", ["scancel", "kill guard", "kill all"])
def test_however_it_ends_nothing_is_left_ten_seconds_later(anna: Login, how: str) -> None:
    name = launch(anna)
    record = anna.record(name)
    assert record is not None
    if how == "scancel":
        anna.run("scancel", str(record.slurm_job_id))
    else:
        pids = [int(line.split()[0]) for line in anna.processes()]
        for pid in pids if how == "kill all" else [record.pid]:
            os.kill(pid, signal.SIGKILL)
    anna.wait_until(lambda: not anna.processes(), 10, "the end of its processes")
    if how == "kill all":  # nothing of it is left that could remove them: the next look does
        assert anna.status(name)["status"] == "failed"
    check_nothing_is_left(anna, name)
    assert anna.status(name)["reason"]["code"] in {
        "stopped", "cancelled", "guard_died", "job_failed", "supervisor_died"
    }  # fmt: skip


def test_cancelled_while_it_starts_nothing_is_left(anna: Login) -> None:
    name = anna.ask_json("launch", "demo", "--hours", "1")["session_id"]
    job_id = anna.status(name)["slurm_job_id"]
    anna.wait_until(lambda: anna.record(name), what="the record")
    anna.run("scancel", job_id)
    check_nothing_is_left(anna, name)
    assert anna.status(name)["status"] in {"ended", "failed"}


def test_two_sessions_share_a_node_and_nothing_else(anna: Login) -> None:
    one, two = launch(anna), launch(anna)
    first, second = anna.status(one), anna.status(two)
    assert first["host"] == second["host"]
    assert first["port"] != second["port"]
    anna.curc_llm("stop", one)
    assert anna.curc_llm("ask", "-s", two, "Hello").stdout.strip()


def test_a_queued_session_says_why_and_can_be_stopped(anna: Login) -> None:
    names = [node.name for node in anna.bed.ground.nodes]
    anna.bed.run("scontrol", "update", f"nodename={','.join(names)}", "state=drain", "reason=test")
    try:
        name = anna.ask_json("launch", "demo", "--hours", "1")["session_id"]
        seen = anna.status(name)
        assert (seen["status"], seen["port"]) == ("queued", None)
        told = anna.wait_until(lambda: anna.status(name)["engines"][0]["detail"], what="why it waits")
        assert told
        assert name in anna.curc_llm("ls").stdout
        assert anna.ask_json("stop", name)["reason"]["code"] == "cancelled"
    finally:
        resume(anna.bed, *names)


def test_a_requeued_session_starts_clean_on_another_node(anna: Login) -> None:
    name = launch(anna, "--requeue")
    before = anna.record(name)
    assert before is not None
    job_id = str(before.slurm_job_id)
    key = anna.paths(name).api_key.read_text()
    anna.bed.run("scontrol", "update", f"nodename={before.host}", "state=drain", "reason=test")
    try:
        anna.run("scontrol", "requeue", job_id)
        anna.wait_until(lambda: anna.status(name)["status"] == "queued", what="its return to the queue")
        assert not {path.name for path in anna.paths(name).root.iterdir()} & SECRETS
        anna.run("scontrol", "update", f"jobid={job_id}", "starttime=now")
        after = anna.wait_until(
            lambda: (r := anna.record(name)) and r.status == "ready" and r, 60, "the second start"
        )
    finally:
        resume(anna.bed, before.host)
    assert (after.slurm_job_id, after.reason, after.ended_at) == (job_id, None, None)
    assert after.host != before.host
    assert anna.paths(name).api_key.read_text() != key
    assert anna.curc_llm("ask", "-s", name, "Hello").stdout.strip()


@pytest.mark.parametrize("requeue", [True, False])
def test_a_preempted_session_returns_to_the_queue_or_says_why_it_ended(anna: Login, requeue: bool) -> None:
    name = launch(anna, *(["--requeue"] if requeue else []))
    record = anna.record(name)
    assert record is not None
    urgent = ["--partition=urgent", "--qos=gpu-normal", "--nodes=1", "--ntasks=1", "--mem=1G"]
    wanted = ["--gres=gpu:a100-40gb:1", f"--nodelist={record.host}", "--exclusive", "--time=5"]
    ben = Login(anna.bed, anna.bed.ground.neighbour)
    ben.run("sbatch", *urgent, *wanted, "--wrap=sleep 30")
    status = "queued" if requeue else "failed"
    anna.wait_until(lambda: anna.status(name)["status"] == status, 30, f"that it is {status}")
    last = anna.record(name)
    assert last is not None
    assert last.reason is not None
    assert last.reason.code == "preempted"
    assert ("by itself" if requeue else f"curc-llm repeat {name}") in last.reason.remedy
    check_nothing_is_left(anna, name)


def test_the_session_of_a_lost_node_is_told_as_such(anna: Login) -> None:
    name = launch(anna)
    record = anna.record(name)
    assert record is not None
    for line in anna.processes():  # a node that dies takes everything with it at once
        os.kill(int(line.split()[0]), signal.SIGSTOP)
    stopped = [int(line.split()[0]) for line in anna.processes()]
    anna.bed.run("scontrol", "update", f"nodename={record.host}", "state=down", "reason=test")
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)
        seen = anna.wait_until(lambda: (s := anna.status(name))["status"] == "failed" and s, 30, "the end")
    finally:
        resume(anna.bed, record.host)
    assert seen["reason"]["code"] == "node_fail"
    assert f"curc-llm repeat {name}" in seen["reason"]["remedy"]
    assert not {path.name for path in anna.paths(name).root.iterdir()} & SECRETS


def test_when_staff_shortens_the_job_slurms_warning_ends_the_session(anna: Login) -> None:
    name = launch(anna)
    job_id = anna.status(name)["slurm_job_id"]
    anna.bed.run("scontrol", "update", f"jobid={job_id}", "timelimit=2")
    last = anna.wait_until(lambda: (r := anna.record(name)) and r.ended_at and r, 90, "the end")
    assert last.reason.code == "wall_time"
    check_nothing_is_left(anna, name)


def test_ctrl_c_while_waiting_leaves_the_session(anna: Login) -> None:
    anna.use_fake_engine(hangs=True)  # or the wait may be over before the key is pressed
    words = [sys.executable, "-m", "curc_llm.cli.main", "launch", "demo", "--hours", "1", "--wait"]
    own = anna.bed.user_environment(anna.user)
    pipe = subprocess.PIPE
    process = subprocess.Popen(anna.command(*words), env=own, cwd="/", stdout=pipe, stderr=pipe, text=True)
    assert process.stderr is not None
    assert any("is submitted as job" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "The session goes on as job" in told
    assert anna.ask_json("ls")
