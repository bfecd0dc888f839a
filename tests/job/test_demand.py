"""A session that has other jobs, with Slurm's commands as scripts: what it submits, shows, takes back."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.plan.request import PlanRequest
from curc_llm.session.demand import HandOverRecord, OtherPhase, ReplicaRecord, ScaleRecord
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord, SessionStatus, Trouble
from curc_llm.session.store import write_record
from curc_llm.settings import load_settings
from curc_llm.sites.load import SITES_DIR
from curc_llm.spec import DEMO_MODEL_DIR, LaunchSpec, SlurmSpec, read_launch_spec
from tests.fakes.fake_slurm import FakeSlurm
from tests.job.conftest import Job, wait_until

pytestmark = pytest.mark.slow
IN_SLURM = SlurmSpec(partition="aa100", gres="gpu:a100-40gb:1")
Start = Callable[..., Job]


@pytest.fixture
def slurm(tmp_path: Path) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "slurm-bin")
    found.takes("88")
    return found


@pytest.fixture
def start(start_job: Start, slurm: FakeSlurm) -> Start:
    """Starts a session as Slurm's job 77, with an hour to go; it is ready."""

    def start_one(environment: dict[str, str] | None = None, **fields: Any) -> Job:
        path = f"{slurm.folder}{os.pathsep}{os.environ['PATH']}"
        more = {"slurm": IN_SLURM, "advertise_host": "", "site": "alpine", "wall_time_s": 3600.0, **fields}
        job = start_job(
            "one", environment={"SLURM_JOB_ID": "77", "PATH": path, **(environment or {})}, **more
        )
        job.wait_until_ready()
        return job

    return start_one


def tell(slurm: FakeSlurm, state: str, reason: str, left_s: float = 3600) -> None:
    """What squeue says of the other job; the session's own runs on for so long."""
    end = int(time.time() + left_s)
    own = f"77|RUNNING|{end - 3600}|{end}|aa100|gpu-normal|c1|None\n"
    slurm.says("squeue", f"{own}88|{state}|N/A|N/A|aa100|gpu-normal|(null)|{reason}\n")


def scale(job: Job, **fields: Any) -> None:
    assert job.ask("/scale", **fields)[0] == 202


def wait_for_scale(job: Job, condition: Callable[[ScaleRecord], Any]) -> ScaleRecord:
    told = job.wait_for(lambda r: r.scale is not None and condition(r.scale)).scale
    assert told is not None
    return told


def wait_for_hand_over(job: Job, condition: Callable[[HandOverRecord], Any]) -> HandOverRecord:
    told = job.wait_for(lambda r: r.hand_over is not None and condition(r.hand_over)).hand_over
    assert told is not None
    return told


def read_other(job: Job, session_id: str) -> LaunchSpec:
    return read_launch_spec(job.paths.root.parent / session_id / "spec.json")


def with_price(su_per_h: float) -> dict[str, Any]:
    """The origins of a session that costs so much."""
    request = SessionRequest(plan=PlanRequest(model="demo", hours=1))
    settings = load_settings(environ={"HOME": "/nowhere", "CURC_LLM_SITE": "alpine"})
    origin = make_slurm_spec(request, settings).origins[0]
    assert origin.plan is not None
    return {
        "origins": (
            origin.model_copy(update={"plan": origin.plan.model_copy(update={"su_per_h": su_per_h})}),
        )
    }


def test_a_replica_that_waits_is_shown_with_the_reason_and_taken_back_when_unwanted(
    start: Start, slurm: FakeSlurm
) -> None:
    job = start()
    tell(slurm, "PENDING", "QOSMaxGRESPerUser")
    scale(job, min_replicas=2, max_replicas=2)
    told = wait_for_scale(job, lambda s: s.replicas and s.replicas[0].detail)
    [replica] = told.replicas
    assert (replica.job_id, replica.phase) == ("88", "queued")
    assert replica.detail == "you hold all the GPUs that one person may at once with its QoS"
    assert job.chat()[0] == 200
    spec = read_other(job, replica.session_id)
    assert (spec.parent, spec.has_chat, spec.idle_stop_min) == (job.record.session_id, False, 0)
    assert 3300 < (spec.wall_time_s or 0) < 3600  # no longer than the session itself
    assert len(slurm.called("sbatch")) == 1
    scale(job, is_on=False)
    wait_until(lambda: "scancel 88" in slurm.calls, what="that it is cancelled")
    slurm.says("squeue")
    slurm.says("sacct", "88|CANCELLED|1795264000|1795264000|aa100|gpu-normal|c1|0:0\n")
    wait_for_scale(job, lambda s: not s.replicas)


def test_one_that_could_never_start_is_taken_back_at_once(start: Start, slurm: FakeSlurm) -> None:
    job = start()
    tell(slurm, "PENDING", "PartitionTimeLimit")
    scale(job, min_replicas=2, max_replicas=2)
    wait_until(lambda: "scancel 88" in slurm.calls, what="that it is cancelled")
    assert job.record.status == "ready"


def test_a_refused_job_is_a_warning_and_tried_again_later(start: Start, slurm: FakeSlurm) -> None:
    slurm.refuses("Invalid qos specification")
    job = start()
    scale(job, min_replicas=2, max_replicas=2)
    job.wait_for(lambda r: any("A replica could not be submitted" in w for w in r.warnings))
    told = wait_for_scale(job, lambda s: s.note)
    assert "the next is tried in" in told.note
    assert len(slurm.called("sbatch")) == 1


def test_a_budget_that_allows_none_is_told_and_nothing_is_submitted(start: Start, slurm: FakeSlurm) -> None:
    job = start(**with_price(100.0))
    scale(job, min_replicas=2, max_replicas=2, su_budget=10)
    told = wait_for_scale(job, lambda s: s.note)
    assert told.note.startswith("The budget of 10 SU doesn't allow another replica: 0 are spent or bound")
    assert slurm.called("sbatch") == []


def test_a_replica_gets_no_more_time_than_the_budget_pays(start: Start, slurm: FakeSlurm) -> None:
    job = start(**with_price(100.0))
    tell(slurm, "PENDING", "Priority")
    scale(job, min_replicas=3, max_replicas=3, su_budget=60)
    told = wait_for_scale(job, lambda s: s.replicas)
    spec = read_other(job, told.replicas[0].session_id)
    assert spec.wall_time_s == 35 * 60  # 36 minutes at 100 an hour, less one by which Slurm may be late
    assert told.su_bound == 60


def test_where_jobs_may_not_submit_jobs_it_says_so(start: Start, slurm: FakeSlurm, tmp_path: Path) -> None:
    text = (
        (SITES_DIR / "alpine.yml")
        .read_text(encoding="utf-8")
        .replace("runtime:\n", "runtime:\n  jobs_may_submit: false\n", 1)
    )
    (tmp_path / "alpine.yml").write_text(text)
    job = start(site=str(tmp_path / "alpine.yml"))
    scale(job, max_replicas=2, min_replicas=2)
    assert "takes no jobs from compute nodes" in wait_for_scale(job, lambda s: s.note).note
    assert slurm.called("sbatch") == []


def test_replicas_are_cancelled_when_the_session_ends(start: Start, slurm: FakeSlurm) -> None:
    job = start()
    tell(slurm, "PENDING", "Priority")
    scale(job, min_replicas=2, max_replicas=2)
    wait_for_scale(job, lambda s: s.replicas)
    job.end()
    assert "scancel 88" in slurm.calls


def start_replica(start: Start, parent: Job) -> Job:
    """The replica that a session has submitted begins, and is ready."""
    told = wait_for_scale(parent, lambda s: s.replicas).replicas[0]
    spec = read_other(parent, told.session_id)
    own = {"session_id": spec.session_id, "session_dir": spec.session_dir, "parent": spec.parent}
    replica = start(**own, has_chat=False, advertise_host="127.0.0.1")
    wait_for_scale(parent, lambda s: s.replicas[0].phase == "ready")
    return replica


def test_after_a_swap_replicas_with_the_old_model_answer_nothing_and_end(
    start: Start, slurm: FakeSlurm, tmp_path: Path
) -> None:
    other = shutil.copytree(DEMO_MODEL_DIR, tmp_path / "other" / "one")  # another model of the same name
    job = start()
    tell(slurm, "PENDING", "Priority")
    scale(job, min_replicas=2, max_replicas=2)
    replica = start_replica(start, job)
    assert job.ask("/swap", model=str(other))[0] == 202
    job.wait_for(lambda r: r.engines[0].model == str(other) and r.engines[0].phase == "ready")
    job.wait_for(lambda r: r.engines[0].swap is None)
    before = len(replica.paths.access_log.read_text()) if replica.paths.access_log.exists() else 0
    assert [job.chat()[0] for _ in range(6)] == [200] * 6
    after = len(replica.paths.access_log.read_text()) if replica.paths.access_log.exists() else 0
    assert after == before
    wait_until(lambda: "scancel 88" in slurm.calls, what="that the replica is cancelled")
    assert "serves another model than it was launched with" in wait_for_scale(job, lambda s: s.note).note


def test_a_session_whose_own_model_failed_goes_on_while_a_replica_answers(
    start: Start, slurm: FakeSlurm, tmp_path: Path
) -> None:
    trouble = tmp_path / "trouble.txt"
    job = start(environment={"FAKE_ENGINE_FAIL_FILE": str(trouble)})
    tell(slurm, "PENDING", "Priority")
    scale(job, min_replicas=2, max_replicas=2)
    replica = start_replica(start, job)
    trouble.write_text("ValueError: Model architectures ['GPT9'] are not supported for now.")
    job.find("fake_engine.py", "engine-0.sock").kill()
    record = job.wait_for(lambda r: any("those in other jobs go on" in w for w in r.warnings))
    assert (record.engines[0].phase, record.gives_up_at, record.ended_at) == ("failed", None, None)
    assert job.chat()[0] == 200
    assert job.record.status == "ready"  # for who asks it is
    replica.end()
    record = job.wait_for(lambda r: r.gives_up_at)
    assert any("was ended from outside (SIGTERM)" in w for w in record.warnings)
    assert not any("by its owner" in w for w in record.warnings)
    assert not any("those in other jobs go on" in w for w in record.warnings)


def write_predecessor(home: Path, told: ScaleRecord) -> tuple[SessionPaths, SessionRecord]:
    """The session slurm-a, elsewhere, whose successor slurm-b is ready."""
    now = time.time()
    before = SessionRecord(
        session_id="slurm-a", owner="anna", host="elsewhere", pid=1, pid_started=1,
        status=SessionStatus.READY,
        started_at=now, heartbeat_at=now + 60, scale=told,
        hand_over=HandOverRecord(session_id="slurm-b", job_id="77", phase=OtherPhase.READY),
    )  # fmt: skip
    state = load_settings(home / "settings.yml", {"HOME": str(home)}).state_dir
    paths = SessionPaths(state / "sessions" / "slurm-a")
    paths.make()
    write_record(paths.record, before)
    return paths, before


def write_other(folder: Path, **fields: Any) -> None:
    """Another session's record, as its job left it."""
    times = {"started_at": 1.0, "heartbeat_at": 1.0, "status": SessionStatus.ENDED}
    own = {"session_id": folder.name, "owner": "anna", "host": "elsewhere", "pid": 1, "pid_started": 1}
    folder.mkdir()
    write_record(folder / "session.json", SessionRecord(**{**own, **times, **fields}))


def test_a_successor_goes_on_with_the_rules_and_with_what_is_left_of_the_budget(
    start: Start, tmp_path: Path
) -> None:
    told = ScaleRecord(
        min_replicas=1, max_replicas=3, target_queue=7, su_budget=50, su_spent=12, su_bound=8, add_after_s=9
    )
    paths, before = write_predecessor(tmp_path, told)
    job = start(session_id="slurm-b", predecessor="slurm-a", **with_price(100.0))
    assert job.record.scale is None  # it isn't the one that is asked yet
    write_record(paths.record, before.model_copy(update={"successor": "slurm-b"}))
    mine = wait_for_scale(job, lambda s: s.max_replicas == 3)
    assert (mine.target_queue, mine.add_after_s, mine.su_budget, mine.su_spent) == (7, 9, 50, 20)
    ended = told.model_copy(update={"su_spent": 13, "su_bound": 0})  # its replicas needed less
    write_record(paths.record, before.model_copy(update={"successor": "slurm-b", "scale": ended}))
    wait_for_scale(job, lambda s: s.su_spent == 13)


def test_what_was_put_aside_for_a_replica_of_the_old_session_is_free_once_it_has_ended(
    start: Start, tmp_path: Path
) -> None:
    replica = ReplicaRecord(session_id="slurm-r", job_id="88", phase=OtherPhase.READY, su=3, su_bound=30)
    told = ScaleRecord(
        min_replicas=1, max_replicas=3, target_queue=7, su_budget=50, su_spent=12, su_bound=30,
        replicas=(replica,),
    )  # fmt: skip
    paths, before = write_predecessor(tmp_path, told)
    now = time.time()
    ready = {"status": SessionStatus.READY, "heartbeat_at": now + 60, "ends_at": now + 1080}
    write_other(paths.root.parent / "slurm-r", **ready, started_at=now - 108)
    over = {"status": SessionStatus.ENDED, "reason": Trouble(code="handed_over", message="Over.")}
    last = {"successor": "slurm-b", "ended_at": now, **over}
    write_record(paths.record, before.model_copy(update=last))
    job = start(session_id="slurm-b", predecessor="slurm-a", **with_price(100.0))
    mine = wait_for_scale(job, lambda s: s.su_bound and s.su_bound < 40)
    assert 12 <= mine.su_spent < 14  # 9 of those that had ended, and 3 of this one
    assert mine.su_bound > 25
    write_record(
        SessionPaths(paths.root.parent / "slurm-r").record,
        before.model_copy(update={"session_id": "slurm-r", "started_at": 1000.0, "ended_at": 1144.0, **over}),
    )
    assert wait_for_scale(job, lambda s: s.su_bound == 0).su_spent == 13  # 9, and 4 for 144 s


def test_one_that_slurm_starts_again_keeps_what_it_has_counted(start: Start, tmp_path: Path) -> None:
    theirs = ScaleRecord(min_replicas=1, max_replicas=3, target_queue=7, su_budget=50, su_spent=12)
    paths, before = write_predecessor(tmp_path, theirs)
    write_record(paths.record, before.model_copy(update={"successor": "slurm-b"}))
    replica = ReplicaRecord(
        session_id="slurm-r", job_id="88", phase=OtherPhase.READY, su=3, su_bound=10
    )  # it ended with the earlier run, after 6 minutes
    mine = theirs.model_copy(
        update={"su_spent": 20, "su_bound": 10, "su_inherited": 12, "replicas": (replica,), "su_budget": 60}
    )
    own = paths.root.parent / "slurm-b"
    write_other(own, scale=mine, status=SessionStatus.FAILED)
    over = {"status": SessionStatus.ENDED, "started_at": 1000.0, "ended_at": 1360.0}
    write_other(paths.root.parent / "slurm-r", **over)
    job = start(session_id="slurm-b", session_dir=own, predecessor="slurm-a", **with_price(100.0))
    told = wait_for_scale(job, lambda s: s.su_spent == 27)  # 12 before, 5 of ended ones, 10 of the replica
    assert (told.su_budget, told.max_replicas, told.su_bound, told.su_inherited) == (60, 3, 0, 12)


def test_a_budget_is_inherited_also_without_rules(start: Start, tmp_path: Path) -> None:
    off = ScaleRecord(
        min_replicas=1, max_replicas=3, target_queue=7, su_budget=50, su_spent=12, su_bound=8, is_on=False
    )
    paths, before = write_predecessor(tmp_path, off)
    job = start(session_id="slurm-b", predecessor="slurm-a", **with_price(100.0))
    scale(job, min_replicas=1, max_replicas=2)
    assert wait_for_scale(job, lambda s: s.max_replicas == 2).su_budget is None
    write_record(paths.record, before.model_copy(update={"successor": "slurm-b"}))
    told = wait_for_scale(job, lambda s: s.su_budget is not None)
    assert (told.max_replicas, told.su_budget, told.su_spent) == (2, 50, 20)


def test_a_hand_over_is_planned_for_when_it_will_be_needed(start: Start, slurm: FakeSlurm) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 900))
    slurm.says(
        "sbatch", error=f"sbatch: Job 1 to start at {at} using 6 processors on nodes c1 in partition a"
    )
    job = start()
    assert job.ask("/extend", hours=4)[0] == 202
    told = wait_for_hand_over(job, lambda h: h.submit_at)
    record = job.record
    # A quarter of an hour in the queue, ten minutes to be on the safe side, and a start of seconds.
    assert 1400 < record.ends_at - told.submit_at < 1560
    assert all("--test-only" in call for call in slurm.called("sbatch"))


def test_while_a_short_session_starts_no_successor_runs_beside_it(start: Start, slurm: FakeSlurm) -> None:
    tell(slurm, "PENDING", "Priority", left_s=1200)
    slow = {"FAKE_ENGINE_OPTIONS": "--ready-after-s 4"}
    job = start(environment=slow, wall_time_s=1200.0, hand_over_s=1200.0)
    told = wait_for_hand_over(job, lambda h: h.submit_at)
    assert (told.session_id, [c for c in slurm.called("sbatch") if "--test-only" not in c]) == ("", [])
    assert 600 <= job.record.ends_at - told.submit_at < 660


def test_a_successor_is_one_job_that_goes_when_its_owner_stops_the_session(
    start: Start, slurm: FakeSlurm
) -> None:
    job = start()
    tell(slurm, "PENDING", "Priority")
    assert job.ask("/extend", hours=4, is_now=True)[0] == 202
    told = wait_for_hand_over(job, lambda h: h.detail)
    assert (told.job_id, told.phase, told.is_done) == ("88", "queued", False)
    spec = read_other(job, told.session_id)
    assert (spec.predecessor, spec.wall_time_s, spec.hand_over_s) == (job.record.session_id, 3600, 3 * 3600)
    assert job.record.successor == ""
    assert job.chat()[0] == 200
    job.end()
    assert "scancel 88" in slurm.calls
    assert job.record.reason.code == "stopped"


def test_when_the_time_is_over_first_the_name_leads_to_the_one_that_waits(
    start: Start, slurm: FakeSlurm
) -> None:
    tell(slurm, "PENDING", "Priority", left_s=36)  # 16 of them for the end, the rest for a start
    job = start(hand_over_s=7200.0, drain_s=1.0)
    told = wait_for_hand_over(job, lambda h: h.session_id)
    last = job.wait_for_end(60)
    assert (last.reason.code, last.successor) == ("handed_over", told.session_id)
    assert "It waits for its turn in Slurm's queue." in last.reason.message
    assert slurm.called("scancel") == []


def test_where_people_may_have_more_time_slurm_is_asked_for_it(
    start: Start, slurm: FakeSlurm, tmp_path: Path
) -> None:
    text = (
        (SITES_DIR / "alpine.yml")
        .read_text(encoding="utf-8")
        .replace("runtime:\n", "runtime:\n  users_may_extend: true\n", 1)
    )
    (tmp_path / "alpine.yml").write_text(text)
    end = int(time.time() + 3 * 3600)
    slurm.says("squeue", f"77|RUNNING|{end - 3600}|{end}|aa100|gpu-normal|c1|None\n")
    job = start(site=str(tmp_path / "alpine.yml"))
    assert job.ask("/extend", hours=1.5)[0] == 202
    wait_until(lambda: "scontrol update JobId=77 TimeLimit=+90" in slurm.calls, what="scontrol")
    job.wait_for(lambda r: abs(r.ends_at - end) < 2)
    assert job.record.hand_over is None
    slurm.says("scontrol", error="Access/permission denied for job 77", status=1)
    tell(slurm, "PENDING", "Priority")
    assert job.ask("/extend", hours=1.5)[0] == 202
    wait_for_hand_over(job, lambda h: h.submit_at)
    assert any("Slurm gives this job no more time" in w for w in job.record.warnings)


def test_a_replica_ends_with_its_session(start: Start, slurm: FakeSlurm, tmp_path: Path) -> None:
    parent = start()
    replica = start(parent=parent.record.session_id, has_chat=False)
    record = json.loads(replica.paths.record.read_text())
    assert record["parent"] == parent.record.session_id
    parent.end()
    last = replica.wait_for_end()
    assert (last.status, last.reason.code) == ("ended", "parent_ended")
