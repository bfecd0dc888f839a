"""Replicas and hand-over as jobs of a real Slurm, under load, as a person who isn't root."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPMessage

import psutil
import pytest

from curc_llm.session.demand import ReplicaRecord, ScaleRecord
from curc_llm.session.login import make_token
from curc_llm.session.record import SessionRecord
from tests.launch.test_on_slurm import check_nothing_is_left, launch, resume
from tests.testbed.bed import Bed
from tests.testbed.load import Load
from tests.testbed.login import Login

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def anna(free_bed: Bed) -> Login:
    """A researcher with engines that work on two requests at once, for a second each."""
    login = Login(free_bed)
    login.clear()
    login.use_fake_engine(behaviour="--slots 2 --token-s 0.1")
    return login


def read(login: Login, name: str) -> SessionRecord:
    record = login.record(name)
    assert record is not None
    return record


def read_scale(login: Login, name: str) -> ScaleRecord:
    told = read(login, name).scale
    assert told is not None
    return told


def list_ready(login: Login, name: str) -> list[ReplicaRecord]:
    return [replica for replica in read_scale(login, name).replicas if replica.phase == "ready"]


def test_replicas_come_and_go_with_the_load_and_no_request_fails(anna: Login) -> None:
    name = launch(anna)
    check_that_a_job_that_never_starts_does_no_harm(anna, name)
    quick = ["--target-queue", "1", "--add-after-s", "1", "--drain-after-s", "2"]
    anna.curc_llm("scale", name, "--max", "3", "--su-budget", "150", *quick)
    with Load(anna, name, people=9) as load:
        anna.wait_until(lambda: len(list_ready(anna, name)) == 2, 60, what="two replicas")
        jobs = [replica.job_id for replica in list_ready(anna, name)]
        so_far = load.answered
        anna.wait_until(lambda: load.answered > so_far + 18, what="answers of all three")
    assert len({row["replica"].partition("/")[0] for row in read_access_log(anna, name)[-18:]}) == 3
    long = [threading.Thread(target=load.note, args=[80]) for _ in range(3)]
    for thread in long:
        thread.start()
    anna.wait_until(
        lambda: [r for r in read_scale(anna, name).replicas if r.phase == "draining" and r.running],
        what="a replica that drains while it answers",
    )
    anna.wait_until(lambda: not read_scale(anna, name).replicas, what="the last replica's end")
    for thread in long:
        thread.join(30)
    assert load.failures == []
    check_cost(anna, name, jobs)


def check_that_a_job_that_never_starts_does_no_harm(anna: Login, name: str) -> None:
    """A replica that waits says why, keeps nobody from anything, and goes when it is no longer wanted."""
    names = [node.name for node in anna.bed.ground.nodes]
    anna.bed.run("scontrol", "update", f"nodename={','.join(names)}", "state=drain", "reason=test")
    try:
        anna.curc_llm("scale", name, "--min", "2", "--max", "2")
        waiting = anna.wait_until(
            lambda: [r for r in read_scale(anna, name).replicas if r.phase == "queued" and r.detail],
            what="why a replica waits",
        )
        assert waiting[0].detail in anna.curc_llm("status", name).stdout
        assert "[DONE]" in Load(anna, name, people=0).ask()
        anna.curc_llm("scale", name, "--off")
        anna.wait_until(lambda: not read_scale(anna, name).replicas, what="that the job is taken back")
    finally:
        resume(anna.bed, *names)


def read_access_log(login: Login, name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in login.paths(name).access_log.read_text().splitlines()]


def check_cost(login: Login, name: str, jobs: list[str]) -> None:
    """What the session says that its replicas cost is what Slurm counted, but for the seconds of a start."""
    told = read_scale(login, name)
    counted = login.ask_json("cost", *jobs)["jobs"]
    spent = sum(job["su"] for job in counted)
    rate = counted[0]["su"] / counted[0]["elapsed_s"]
    assert told.su_spent == pytest.approx(spent, rel=0.1, abs=rate * 3 * len(jobs))
    assert told.su_spent is not None
    assert told.su_spent < 150


def test_when_the_session_is_killed_its_replicas_end_by_themselves(anna: Login) -> None:
    name = launch(anna)
    anna.curc_llm("scale", name, "--min", "2", "--max", "2")
    replica = anna.wait_until(lambda: list_ready(anna, name), what="a replica")[0]
    guard = psutil.Process(read(anna, name).pid)
    for process in (*guard.children(), guard):  # the guard last: it would end the others in good order
        process.kill()
    last = anna.wait_until(
        lambda: (r := anna.record(replica.session_id)) and r.ended_at and r, 180, "the replica's end"
    )
    assert last.reason.code == "parent_ended"
    check_nothing_is_left(anna, replica.session_id)


def test_a_session_hands_over_under_load_and_its_name_leads_on(anna: Login) -> None:
    name = launch(anna)
    key = anna.ask_json("keys", "add", "lab", "-s", name)["key"]
    with Load(anna, name, people=2) as stays, Load(anna, name, people=2, follows=True) as follows:
        told = anna.curc_llm("extend", name, "--hours", "2", "--now").stderr
        assert "2 h more cost at most 142.2 SU" in told
        heir = anna.wait_until(lambda: read(anna, name).successor, what="the successor")
        so_far = stays.answered, follows.answered
        anna.wait_until(lambda: stays.answered > so_far[0] + 4 and follows.answered > so_far[1] + 4)
    assert stays.failures + follows.failures == []
    served = read_access_log(anna, name)[-2:]
    assert {row["replica"].partition("/")[0] for row in served} == {heir}
    shown = anna.curc_llm("status", name)
    assert shown.stdout.startswith(heir)
    assert f"Session {name} goes on as {heir}." in shown.stderr
    assert anna.ask_json("endpoint")["session_id"] == heir  # the only one that can be meant
    check_that_the_old_page_leads_to_the_new_one(anna, name, heir)
    stays.key = key
    assert "[DONE]" in stays.ask()
    anna.curc_llm("keys", "revoke", "lab", "-s", name)
    anna.wait_until(lambda: refuses(stays), what="that the old address knows of the revocation")
    os.kill(read(anna, name).pid, signal.SIGKILL)  # the guard; the supervisor ends the session
    anna.wait_until(lambda: read(anna, name).ended_at, what="the old job's end")
    assert anna.curc_llm("ask", "-s", name, "Hello").stdout.strip()
    anna.curc_llm("stop", name)
    check_nothing_is_left(anna, heir)


def check_that_the_old_page_leads_to_the_new_one(login: Login, name: str, heir: str) -> None:
    """Logs in at the old address, asks for the way as its page does, and goes it."""
    secret = login.paths(name).login_secret.read_text().strip()
    token = make_token(secret, "login", "owner", time.time(), 60)
    _, headers, _ = post(login, name, "/login", {}, f"token={token}")
    cookie = headers["set-cookie"].split(";")[0]
    here = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    told = json.loads(post(login, name, "/successor", here, "")[2])
    root = (read(login, heir).base_url or "").removesuffix("/v1")
    assert (told["session_id"], told["link"].partition("#")[0]) == (heir, f"{root}/login")
    status, headers, _ = post(login, heir, "/login", {}, told["link"].partition("#")[2])
    assert (status, headers["location"]) == (303, "/chat/")


def post(
    login: Login, name: str, path: str, headers: dict[str, str], body: str
) -> tuple[int, HTTPMessage, bytes]:
    """Status, headers and body of what a session's gateway answers."""
    record = read(login, name)
    addresses = {node.name: node.address for node in login.bed.ground.nodes}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with closing(HTTPConnection(addresses[record.host], record.port, timeout=30)) as connection:
        connection.request("POST", path, body.encode(), {**form, **headers})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()


def refuses(load: Load) -> bool:
    try:
        load.ask()
    except OSError as error:
        return getattr(error, "code", 0) == 401
    return False
