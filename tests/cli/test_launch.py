"""`curc-llm launch`: planned, submitted, told; with Slurm's commands as scripts."""

from __future__ import annotations

import importlib
import json
import os
import threading
import time
from pathlib import Path

import pytest

from curc_llm.cli import awaiting
from curc_llm.session.keys import make_owner_key
from curc_llm.session.login import make_login_secret
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus, Trouble
from curc_llm.session.store import write_record
from tests.cli.conftest import Run
from tests.fakes.fake_slurm import FakeSlurm


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "slurm-bin")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CURC_LLM_OFFLINE", "1")
    return fake


def sessions(state_dir: Path) -> list[Path]:
    folder = state_dir / "sessions"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_a_launch_tells_session_job_and_cost(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    result = run("launch", "qwen3-8b", "--gpu", "l40", "--hours", "2")
    assert result.exit_code == 0, result.stderr
    assert "is submitted as job 77" in result.stdout
    assert "l40:1, al40 (gpu-normal) at CURC Alpine" in result.stdout
    assert "SU for 2 h" in result.stdout
    name = sessions(state_dir)[0].name
    assert f"curc-llm stop {name}" in result.stdout


def test_for_scripts_it_is_one_json_value(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    value = json.loads(run("launch", "demo", "--hours", "1", "--json").stdout)
    assert (value["job_id"], value["status"]) == ("77", "queued")
    assert value["session_id"] == sessions(state_dir)[0].name
    assert value["su_total"] > 0


def test_every_option_reaches_slurm_or_the_spec(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    result = run(
        *("launch", "qwen3-8b", "--gpu", "l40", "--num-gpus", "2", "--hours", "1.5", "--account"),
        *("ucb-general", "--qos", "gpu-long", "--reservation", "class1", "--max-model-len", "8192"),
        *("--idle-stop-min", "0", "--mail", "a@colorado.edu", "--requeue"),
    )
    assert result.exit_code == 0, result.stderr
    call = slurm.called("sbatch")[0]
    for option in (
        *("--partition=al40", "--qos=gpu-long", "--account=ucb-general", "--reservation=class1"),
        *("--gres=gpu:l40:2", "--time=0-01:30:00", "--requeue"),
    ):
        assert option in call
    spec = json.loads((sessions(state_dir)[0] / "spec.json").read_text())
    assert (spec["idle_stop_min"], spec["mail_on_ready"], spec["mail_user"]) == (0, True, "a@colorado.edu")
    assert spec["engines"][0]["max_model_len"] == 8192


def test_a_launch_over_two_nodes_reaches_slurm_with_a_task_on_each(
    run: Run, slurm: FakeSlurm, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURC_LLM_SITE", "capella")
    result = run("launch", "llama-3.1-405b-instruct", "--account", "p_lm", "--shared", "--json")
    assert result.exit_code == 0, result.stderr
    spec = json.loads((sessions(state_dir)[0] / "spec.json").read_text())
    assert (spec["slurm"]["nodes"], spec["slurm"]["gres"], spec["slurm"]["exclusive"]) == (2, "gpu:4", False)
    engine = spec["engines"][0]
    assert (engine["tensor_parallel_size"], engine["pipeline_parallel_size"]) == (4, 2)
    usual = run("launch", "llama-3.1-405b-instruct", "--account", "p_lm", "--dry-run")
    assert {"#SBATCH --nodes=2", "#SBATCH --ntasks-per-node=1", "#SBATCH --exclusive"} <= set(
        usual.stdout.splitlines()
    )
    assert "2 nodes with 4 GPUs each" in usual.stdout
    # More nodes than one person gets are refused with what the site has, also for a model of 4 MB.
    many = run("launch", "demo", "--num-nodes", "99", "--account", "p_lm")
    assert many.exit_code == 3
    assert "lets one person use 284 h100 at once; 396 were asked for" in many.stderr
    assert "curc-llm launch demo --gpu h100 --num-gpus 198 --num-nodes 99" in many.stderr


def test_mail_without_an_address_goes_to_the_owner(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    assert run("launch", "demo", "--mail").exit_code == 0
    spec = json.loads((sessions(state_dir)[0] / "spec.json").read_text())
    assert (spec["mail_on_ready"], spec["mail_user"]) == (True, "")


def test_what_cannot_work_is_refused_before_anything_is_written(
    run: Run, slurm: FakeSlurm, state_dir: Path
) -> None:
    result = run("launch", "llama-3.1-405b-instruct", "--gpu", "l40", "--num-gpus", "1")
    assert result.exit_code == 3
    assert "curc-llm launch llama-3.1-405b-instruct --gpu h200" in result.stderr
    assert sessions(state_dir) == []
    assert slurm.calls == []


def test_the_launch_that_a_refusal_names_works(run: Run, slurm: FakeSlurm) -> None:
    refused = run("launch", "llama-3.1-405b-instruct", "--gpu", "l40", "--num-gpus", "1").stderr
    command = next(line for line in refused.splitlines() if "curc-llm launch" in line)
    words = command.partition("curc-llm launch ")[2].split()
    assert run("launch", *words).exit_code == 0


@pytest.mark.parametrize(
    "values", [("--reservation", "a b"), ("--mail", "nobody"), ("--gpu", "b300"), ("--partition", "$(id)")]
)
def test_values_that_cannot_be_meant_are_refused(
    run: Run, slurm: FakeSlurm, state_dir: Path, values: tuple[str, ...]
) -> None:
    result = run("launch", "demo", *values)
    assert result.exit_code in {1, 3}
    assert result.stderr.startswith("Error: ")
    assert (sessions(state_dir), slurm.calls) == ([], [])


def test_a_refusal_of_slurm_is_told_and_leaves_nothing(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    slurm.refuses("Batch job submission failed: Invalid account or account/partition combination specified")
    result = run("launch", "demo")
    assert result.exit_code == 1
    assert "account" in result.stderr
    assert sessions(state_dir) == []


def test_without_slurm_it_says_where_to_launch(
    run: Run, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(state_dir))
    result = run("launch", "demo")
    assert result.exit_code == 1
    assert "sbatch isn't on this machine" in result.stderr
    assert sessions(state_dir) == []


def test_a_dry_run_shows_script_and_cost_and_submits_nothing(
    run: Run, slurm: FakeSlurm, state_dir: Path
) -> None:
    slurm.says(
        "sbatch",
        error="sbatch: Job 1 to start at 1795264750 using 6 processors on nodes tn1 in partition x\n",
    )
    result = run("launch", "demo", "--hours", "1", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("#!/bin/bash\n#SBATCH --job-name=curc-llm\n")
    assert "SU for 1 h" in result.stdout
    assert "start it at once" in result.stderr
    assert sessions(state_dir) == []
    assert all("--test-only" in call for call in slurm.called("sbatch"))
    value = json.loads(run("launch", "demo", "--dry-run", "--json").stdout)
    assert value["job_id"] is None
    assert value["script"].startswith("#!/bin/bash")


def test_a_dry_run_that_slurm_would_refuse_shows_the_script_and_fails(run: Run, slurm: FakeSlurm) -> None:
    slurm.refuses("Batch job submission failed: Invalid qos specification")
    result = run("launch", "demo", "--dry-run")
    assert result.exit_code == 1
    assert result.stdout.startswith("#!/bin/bash")
    assert result.stderr.count("Error: ") == 1


def test_a_dry_run_needs_no_slurm(run: Run, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(state_dir))
    result = run("launch", "demo", "--dry-run")
    assert result.exit_code == 0
    assert "exec " in result.stdout


def write_as_job(state_dir: Path, phase: EnginePhase, **changes: object) -> None:
    """Writes the record as the session's job does."""
    root = sessions(state_dir)[0]
    paths, now = SessionPaths(root), time.time()
    ready_at = now if phase is EnginePhase.READY else None
    engine = EngineRecord(served_model_name="curc-guide", model="demo", phase=phase, ready_at=ready_at)
    record = SessionRecord(
        session_id=root.name, owner="me", host="c1", pid=5, pid_started=6, slurm_job_id="77", port=4000,
        base_url="http://c1:4000/v1", started_at=now, heartbeat_at=now, engines=(engine,),
    )  # fmt: skip
    make_owner_key(paths.keys, paths.api_key)
    make_login_secret(paths.login_secret)
    write_record(paths.record, record.model_copy(update=changes))


@pytest.mark.slow
def test_waiting_shows_the_queue_then_the_phases_then_the_card(
    run: Run, slurm: FakeSlurm, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "LOOK_EVERY_S", 0.05)
    slurm.queue("77", "PENDING", "Priority", start=str(int(time.time()) + 3600))

    def go() -> None:
        while not sessions(state_dir) or not slurm.called("squeue"):
            time.sleep(0.02)
        time.sleep(0.3)
        write_as_job(state_dir, EnginePhase.LOADING)
        time.sleep(0.3)
        write_as_job(state_dir, EnginePhase.READY)

    thread = threading.Thread(target=go)
    thread.start()
    result = run("launch", "demo", "--wait")
    thread.join()
    assert result.exit_code == 0, result.stderr
    told = result.stderr
    assert "job 77 is queued: others are before it in the queue" in told
    assert "expects it to start in 59 min" in told or "expects it to start in 1 h" in told
    assert told.index("is queued") < told.index("curc-guide: loading")
    assert "curc-guide is ready." in result.stdout
    assert "http://c1:4000/v1" in result.stdout


def test_ctrl_c_leaves_the_session_and_says_so(
    run: Run, slurm: FakeSlurm, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.queue("77", "PENDING", "Priority")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(awaiting.QueueView, "render", interrupt)
    result = run("launch", "demo", "--wait")
    assert result.exit_code == 130
    assert "goes on as job 77" in result.stderr
    assert slurm.called("scancel") == []
    assert len(sessions(state_dir)) == 1


@pytest.mark.parametrize("where", ["curc_llm.cli.launch._make_spec", "curc_llm.cli.submitting.launch_slurm"])
def test_ctrl_c_before_there_is_a_job_says_that_nothing_was_submitted(
    run: Run, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    module, name = where.rsplit(".", 1)
    monkeypatch.setattr(importlib.import_module(module), name, interrupt)
    result = run("launch", "qwen3-8b")
    assert result.exit_code == 130
    assert "Nothing was submitted." in result.stderr


def test_ctrl_c_during_a_repetition_says_that_nothing_was_submitted(
    run: Run, slurm: FakeSlurm, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("launch", "demo")
    (first,) = sessions(state_dir)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("curc_llm.cli.submitting.launch_slurm", interrupt)
    result = run("repeat", first.name)
    assert result.exit_code == 130
    assert "Nothing was submitted." in result.stderr


def test_waiting_ends_with_the_reason_when_the_session_fails(
    run: Run, slurm: FakeSlurm, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "LOOK_EVERY_S", 0.05)
    slurm.past("77", "NODE_FAIL")
    result = run("launch", "demo", "--wait")
    assert result.exit_code == 1
    assert "Slurm lost the node" in result.stderr
    assert "curc-llm repeat" in result.stderr


def test_a_job_that_waits_in_vain_is_not_waited_for(run: Run, slurm: FakeSlurm) -> None:
    slurm.queue("77", "PENDING", "PartitionTimeLimit")
    result = run("launch", "demo", "--wait")
    assert result.exit_code == 1
    assert "waits in vain" in result.stderr
    assert "curc-llm stop slurm-" in result.stderr


def test_ls_status_stop_and_logs_know_a_queued_session(
    run: Run, slurm: FakeSlurm, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("launch", "demo")
    name = sessions(state_dir)[0].name
    slurm.queue("77", "PENDING", "Priority")
    listed = run("ls").stdout
    assert listed.splitlines()[0].split() == ["SESSION", "STATUS", "JOB", "MODEL", "HOST", "AGE", "ENDPOINT"]
    assert listed.splitlines()[1].split()[:4] == [name, "queued", "77", "curc-guide"]
    assert f"{name}: others are before it in the queue" in listed
    shown = run("status", "77").stdout
    assert "queued" in shown
    assert "Slurm job  77" in shown
    assert "pid" not in shown
    assert "The session is queued (job 77)" in run("logs", name).stderr
    slurm.past("77", "CANCELLED by 1000")
    assert run("ls").stdout == ""
    assert "ended" in run("ls", "--all").stdout
    assert json.loads(run("stop", name, "--json").stdout)["reason"]["code"] == "cancelled"


@pytest.mark.slow
def test_stop_cancels_a_queued_session(
    run: Run, slurm: FakeSlurm, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("launch", "demo")
    slurm.queue("77", "PENDING", "Priority")
    thread = threading.Timer(1.0, slurm.past, ("77", "CANCELLED by 1000"))
    thread.start()
    result = run("stop", "77", "--json")
    thread.join()
    assert result.exit_code == 0, result.stderr
    assert slurm.called("scancel") == ["scancel 77"]
    assert json.loads(result.stdout)["status"] == "ended"


def test_slurm_silent_is_said_and_nothing_is_called_gone(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    run("launch", "demo")
    slurm.is_silent()
    result = run("ls")
    assert "unknown" in result.stdout
    assert "Slurm is silent" in result.stdout


def test_a_repeat_is_the_same_again_as_a_new_job(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    run("launch", "qwen3-8b", "--gpu", "l40", "--hours", "2", "--reservation", "r1")
    first = sessions(state_dir)[0]
    slurm.past("77", "COMPLETED")
    slurm.takes("78")
    result = run("repeat", first.name, "--json")
    assert result.exit_code == 0, result.stderr
    value = json.loads(result.stdout)
    assert value["job_id"] == "78"
    old = json.loads((first / "spec.json").read_text())
    new = json.loads((first.parent / value["session_id"] / "spec.json").read_text())
    assert (new["slurm"], new["engines"], new["repeats"]) == (old["slurm"], old["engines"], first.name)
    calls = [
        call.replace(first.name, "S").replace(value["session_id"], "S") for call in slurm.called("sbatch")
    ]
    assert calls[0] == calls[1]


def test_what_was_no_job_is_not_repeated(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    run("launch", "demo")
    path = sessions(state_dir)[0] / "spec.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "slurm": None}))
    result = run("repeat", str(path))
    assert result.exit_code == 1
    assert "serve --from" in result.stderr


def test_a_repeat_of_a_model_that_is_gone_is_refused(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    run("launch", "demo")
    path = sessions(state_dir)[0] / "spec.json"
    spec = json.loads(path.read_text())
    spec["origins"][0]["request"]["model"] = "/nonexistent/model"
    path.write_text(json.dumps(spec))
    result = run("repeat", str(path))
    assert result.exit_code == 1
    assert "/nonexistent/model" in result.stderr
    assert len(slurm.called("sbatch")) == 1


def test_a_reason_from_the_session_itself_is_shown_while_waiting(
    run: Run, slurm: FakeSlurm, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "LOOK_EVERY_S", 0.05)
    slurm.queue("77", "PENDING", "Priority")

    def go() -> None:
        while not sessions(state_dir) or not slurm.called("squeue"):
            time.sleep(0.02)
        trouble = Trouble(code="no_gpu", message="c1 has no driver.", remedy="Launch it again.")
        write_as_job(state_dir, EnginePhase.FAILED, status=SessionStatus.FAILED, reason=trouble)

    thread = threading.Thread(target=go)
    thread.start()
    result = run("launch", "demo", "--wait")
    thread.join()
    assert result.exit_code == 1
    assert "c1 has no driver." in result.stderr


def test_a_chat_and_an_embedding_model_are_one_job_on_one_gpu(
    run: Run, slurm: FakeSlurm, state_dir: Path
) -> None:
    result = run("launch", "qwen3-8b", "--gpu", "l40", "--hours", "2", "--embed", "qwen3-embedding-0.6b")
    assert result.exit_code == 0, result.stderr
    assert "qwen3-8b, qwen3-embedding-0.6b" in result.stdout
    assert "Both share a GPU" in result.stderr
    assert len(slurm.called("sbatch")) == 1
    assert "--gres=gpu:l40:1" in slurm.called("sbatch")[0]
    spec = json.loads((sessions(state_dir)[0] / "spec.json").read_text())
    assert [engine["runner"] for engine in spec["engines"]] == ["generate", "pooling"]


def test_replicas_are_one_job_with_the_gpus_of_all(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    words = ("launch", "qwen3-8b", "--gpu", "l40", "--hours", "2", "--replicas")
    result = run(*words, "3")
    assert result.exit_code == 0, result.stderr
    assert "l40:3, al40 (gpu-normal) at CURC Alpine" in result.stdout
    assert "3 replicas of qwen3-8b" in result.stdout
    assert "--gres=gpu:l40:3" in slurm.called("sbatch")[0]
    folder = sessions(state_dir)[0]
    spec = json.loads((folder / "spec.json").read_text())
    assert [engine["device_ids"] for engine in spec["engines"]] == [[0], [1], [2]]
    assert {engine["served_model_name"] for engine in spec["engines"]} == {"qwen3-8b"}
    assert run("repeat", folder.name).exit_code == 0
    assert "--gres=gpu:l40:3" in slurm.called("sbatch")[1]
    refused = run(*words, "4")
    assert refused.exit_code == 3
    assert "4 replicas with 1 x l40 each need 4 GPUs on one node of al40" in refused.stderr
    assert "curc-llm launch qwen3-8b --gpu l40 --num-gpus 1 --replicas 3" in refused.stderr
    assert len(slurm.called("sbatch")) == 2


def test_two_models_that_dont_fit_are_refused_with_launches_that_do(
    run: Run, slurm: FakeSlurm, state_dir: Path
) -> None:
    words = ("launch", "qwen3-8b", "--gpu", "a100_3g.20gb", "--embed", "e5-mistral-7b-instruct")
    result = run(*words)
    assert result.exit_code == 3
    assert "E5 Mistral 7B Instruct on the same GPU has" in result.stderr
    assert "curc-llm launch qwen3-8b --embed e5-mistral-7b-instruct --gpu" in result.stderr
    assert sessions(state_dir) == []


def test_a_chat_model_is_not_taken_for_embeddings(run: Run, slurm: FakeSlurm, state_dir: Path) -> None:
    result = run("launch", "qwen3-8b", "--embed", "qwen3-4b")
    assert result.exit_code == 1
    assert "Qwen3 4B writes text" in result.stderr
    assert sessions(state_dir) == []


def test_an_embedding_model_may_be_an_entry_of_the_settings_file(
    run: Run, slurm: FakeSlurm, state_dir: Path, tmp_path: Path
) -> None:
    config = tmp_path / "two.yml"
    config.write_text("models:\n  vectors:\n    model: bge-m3\n")
    result = run("launch", "qwen3-8b", "--gpu", "l40", "--embed", "vectors", "-c", str(config))
    assert result.exit_code == 0, result.stderr
    spec = json.loads((sessions(state_dir)[0] / "spec.json").read_text())
    assert [engine["served_model_name"] for engine in spec["engines"]] == ["qwen3-8b", "vectors"]
