"""A preflight where a node says nothing, or can't read what it is asked; srun is a script, nodes are real."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from curc_llm.engine.node_facts import PreflightRequest
from curc_llm.job.look_first import list_warnings
from curc_llm.job.preflight import Patience, StepSize, look_at_nodes, make_request, make_trouble
from curc_llm.session.preflight import PreflightFinding, PreflightReport
from curc_llm.sites.network import Network
from curc_llm.spec import DEMO_MODEL_DIR, EngineSpec, LaunchSpec, SlurmSpec

# Runs the program as the first of two tasks; the second one's node is silent.
FIRST_ALONE = """#!/bin/sh
echo "srun: error: Task launch for StepId=7.0 failed on node n2: Communication connection failure" >&2
while [ "$1" != "--export=ALL" ]; do shift; done; shift
"$@" </dev/null | sed -u 's/^/0: /'
"""
BLIND = FIRST_ALONE.replace('"$@" <', '"$1" "$2" "$3" "$4" /no/such/request <')
NODES = '#!/bin/sh\n[ "$1 $2 $3" = "show hostnames n[1-2]" ] && printf "n1\\nn2\\n"\n'


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    return folder


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def look(path: Path) -> PreflightReport:
    request = PreflightRequest(engine_python="/bin/true")
    return asyncio.run(look_at_nodes(request, StepSize(2), path, Patience(facts_s=60)))


@pytest.mark.slow
def test_a_node_that_says_nothing_is_named_with_slurms_words(bin_dir: Path, tmp_path: Path) -> None:
    put(bin_dir, "srun", FIRST_ALONE)
    put(bin_dir, "scontrol", NODES)
    report = look(tmp_path / "request.json")
    (found,) = [f for f in report.findings if f.is_fatal]
    assert (found.code, found.nodes) == ("node_silent", ("n2",))
    assert (
        "n2 gave no answer within 60 s. Slurm said: Task launch for StepId=7.0 failed on node n2"
        in found.message
    )
    assert report.nodes == ("n1",)
    assert not (tmp_path / "request.json").exists()


def test_a_node_that_cannot_read_the_sessions_folder_says_so(bin_dir: Path, tmp_path: Path) -> None:
    put(bin_dir, "srun", BLIND)
    put(bin_dir, "scontrol", NODES)
    codes = {f.code: f.message for f in look(tmp_path / "request.json").findings}
    assert codes["not_shared"].startswith("n1 can't read the session's folder: [Errno 2]")


def test_a_session_asks_for_what_its_engines_need(tmp_path: Path) -> None:
    engine = EngineSpec(
        served_model_name="m", model=str(DEMO_MODEL_DIR), is_local=True, gpu_memory_utilization=0.8
    )
    far = EngineSpec(served_model_name="f", model="org/far", is_local=False, gpu_memory_utilization=0.7)
    spec = LaunchSpec(
        session_id="s", session_dir=tmp_path, owner="o", engines=(engine, far), device="cuda",
        engine_python="/p", cache_dir=tmp_path / "c", hf_home=tmp_path / "h", state_dir=tmp_path,
        slurm=SlurmSpec(partition="p", gres="gpu:h100:4", nodes=2), network=Network(interface="ib0"),
    )  # fmt: skip
    asked = make_request(spec)
    assert (asked.gpus_per_node, asked.gpu_memory_utilization, asked.network.interface) == (4, 0.8, "ib0")
    assert asked.models == (str(DEMO_MODEL_DIR),)  # the other isn't downloaded yet
    assert asked.folders == (str(tmp_path / "c"), "/dev/shm")  # each node adds its own TMPDIR


def test_the_worst_is_why_a_session_ends_and_the_rest_are_warnings() -> None:
    fatal = PreflightFinding(code="gpu_busy", is_fatal=True, message="Busy.", remedy="Again.")
    slow = PreflightFinding(code="slow_network", is_fatal=False, message="Slow.", remedy="Look.")
    report = PreflightReport(seconds=1, findings=(fatal, slow))
    trouble = make_trouble(report)
    assert trouble is not None
    assert (trouble.code, trouble.message, report.status) == ("gpu_busy", "Busy.", "failed")
    assert list_warnings(report) == ("Slow. Look.",)
    assert make_trouble(PreflightReport(seconds=1, findings=(slow,))) is None
