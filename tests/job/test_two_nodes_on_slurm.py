"""An engine over two nodes of a real Slurm: with real vLLM in each of its ways, and its faults.

The faults have a cheap engine: what is shown is what the job does. A real worker that is killed is shown with
vLLM's own tensor parallelism.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curc_llm.session.record import EngineRecord
from curc_llm.sites.load import find_site_file
from tests.testbed import network
from tests.testbed.bed import Bed
from tests.testbed.ground import Node
from tests.testbed.login import Login
from tests.testbed.port_scan import scan
from tests.testbed.portal.app_copy import copy_app
from tests.testbed.portal.buttons import Buttons

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.root]
ROOT = Path(__file__).parents[2]
START_S = 420  # two nodes' engines on two cores, beside whatever else is tested
TWO = ("--num-nodes", "2", "--num-gpus", "2")
TENSOR = (*TWO, "--tensor-parallel-size", "2")
FORM = {
    "cluster": "capella", "llm_model": "own", "llm_own_model": "demo", "llm_gpus": "h100-x2",
    "bc_num_hours": "1", "auto_accounts": "ucb-general",
}  # fmt: skip
ONE_GPU = ("gpus_per_node: 4", "gpus_per_node: 1\n    max_nodes_per_job: 2")
QUESTION = "What is a session?"
ANSWER = "A session is a running job with one model in it."
RAY_PYTHON = f"""#!/bin/sh
export PYTHONPATH={ROOT}/tests/fakes/cpu_ray_platform
exec {sys.executable} "$@"
"""


@pytest.fixture
def anna(second_bed: Bed) -> Iterator[Login]:
    """A researcher at the centre whose jobs may have several nodes."""
    second_bed.clear()
    login = Login(second_bed, more={"CURC_LLM_SITE": second_bed.site_name})
    login.clear()
    yield login
    second_bed.clear()


@pytest.fixture
def buttons(anna: Login) -> Buttons:
    """The portal's form for that centre, whose nodes have one GPU: vLLM has a process for each."""
    folder = anna.bed.ground.folder / "form"
    folder.mkdir(exist_ok=True)
    site_file = folder / "site.yml"
    site_file.write_text(find_site_file(anna.bed.site_name).read_text().replace(*ONE_GPU))
    return Buttons(anna.bed, copy_app(ROOT, folder / "app", anna.bed.site_name, site_file), anna.user)


@pytest.fixture
def foreign_ray_folder(second_bed: Bed) -> Iterator[Path]:
    """Ray's usual folder, which another user had first."""
    folder = Path("/tmp/ray")
    is_new = not folder.exists()
    if is_new:
        folder.mkdir(mode=0o700)
        shutil.chown(folder, second_bed.ground.neighbour)
    yield folder
    assert not any(folder.iterdir())
    if is_new:
        folder.rmdir()


def launch(anna: Login, *options: str) -> str:
    """A session that is ready; its id."""
    words = ("launch", "demo", "--hours", "1", "--account", "ucb-general", *options, "--wait")
    return str(anna.ask_json(*words, timeout_s=START_S)["session_id"])


def engine(anna: Login, name: str) -> EngineRecord:
    """The one engine's record."""
    record = anna.record(name)
    assert record is not None
    return record.engines[0]


def wait_for_restart(anna: Login, name: str, timeout_s: float) -> EngineRecord:
    """The engine once it is ready again."""
    anna.wait_until(
        lambda: engine(anna, name).restarts and engine(anna, name).phase == "ready", timeout_s, "a restart"
    )
    return engine(anna, name)


def check_answers(anna: Login, name: str) -> None:
    assert anna.curc_llm("ask", "-s", name, QUESTION).stdout.startswith(ANSWER)


def check_ends_without_a_trace(anna: Login, name: str) -> None:
    """Nothing is left on either node."""
    anna.curc_llm("stop", name)
    check_no_trace(anna)


def check_no_trace(anna: Login) -> None:
    anna.wait_until(lambda: not anna.processes(), 20, f"the end of {anna.processes()}")


def find_on(node: Node, words: str) -> list[int]:
    """The processes of a node whose command line matches."""
    pids = network.pids_on(node)
    shown = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True).stdout
    found = (line.split(None, 1) for line in shown.splitlines())
    return [int(pid) for pid, args in found if int(pid) in pids and re.search(words, args)]


def check_strangers_find_no_open_port(anna: Login) -> None:
    """What another user gets through to of all that listens is named in docs/security.md with its reason."""
    found = scan(anna.bed, anna.user, anna.bed.ground.neighbour)
    sys.stdout.writelines(f"{one}\n" for one in found)  # shown when the test fails
    assert {one.listener.node for one in found} == set(anna.bed.ground.nodes)
    gateway = [one for one in found if one.listener.process.startswith("curc-llm")]
    assert [set(one.said.values()) for one in gateway] == [{"401"}]
    reasons = read_reasons()
    open_ones = [one for one in found if not one.is_guarded]
    assert [str(one) for one in open_ones if not find_reason(reasons, one.listener.process)] == []


def read_reasons() -> dict[str, str]:
    """Why ports are open, by how a process's name begins: the rows of the table that say so (bold)."""
    table = (ROOT / "docs" / "security.md").read_text().partition("### An engine over several nodes")[2]
    rows = [line.split("|") for line in table.partition("## Keys")[0].splitlines() if line.startswith("| `")]
    is_open = [cells for cells in rows if cells[4].strip().startswith("**")]
    return {name: cells[5].strip() for cells in is_open for name in re.findall(r"`([^`]+)`", cells[1])}


def find_reason(reasons: dict[str, str], process: str) -> str:
    """Why a process's ports are open; empty when nobody says."""
    return next((why for name, why in reasons.items() if process.startswith(name)), "")


def set_link(node: Node, state: str) -> None:
    """Plugs a node's network in or out."""
    network.run("ip", "-n", node.namespace, "link", "set", "eth0", state)


@pytest.mark.engine
def test_vllm_s_own_tensor_parallelism_answers_and_survives_a_killed_worker(anna: Login) -> None:
    name = launch(anna, *TENSOR)
    check_strangers_find_no_open_port(anna)
    check_answers(anna, name)  # they did no harm either
    second = anna.bed.ground.nodes[1]
    (worker,) = find_on(second, "^VLLM::Worker_TP1")
    os.kill(worker, signal.SIGKILL)
    told = anna.wait_until(lambda: engine(anna, name).trouble, 60, "the diagnosis")
    assert told.message.startswith(f"On {second.name}")
    assert "killed" in told.message
    wait_for_restart(anna, name, START_S)
    check_answers(anna, name)
    check_ends_without_a_trace(anna, name)


@pytest.mark.engine
def test_copies_of_the_model_on_two_nodes_answer_as_one_launched_by_the_form(
    anna: Login, buttons: Buttons
) -> None:
    buttons.launch(**FORM)
    name = anna.wait_until(lambda: next((s["session_id"] for s in anna.ask_json("ls")), ""), 60, "a session")
    anna.wait_until(lambda: anna.status(name)["status"] == "ready", START_S, "the model")
    cores = [find_on(node, "^VLLM::EngineCore_DP") for node in anna.bed.ground.nodes]
    assert [len(pids) for pids in cores] == [1, 1]
    check_strangers_find_no_open_port(anna)
    check_answers(anna, name)  # they did no harm either
    buttons.delete_all()
    check_no_trace(anna)


@pytest.mark.engine
def test_ray_spreads_a_model_over_two_nodes_and_lets_nobody_else_in(
    anna: Login, foreign_ray_folder: Path
) -> None:
    python = anna.bed.ground.folder / "ray_python"
    python.write_text(RAY_PYTHON)
    python.chmod(0o755)
    anna.more["CURC_LLM_ENGINE_PYTHON"] = str(python)
    stray = anna.bed.home(anna.user) / ".ray" / "auth_token"
    anna.run("sh", "-c", f"mkdir -p {stray.parent} && echo stray > {stray}")
    name = launch(anna, *TENSOR, "--distributed-executor-backend", "ray")
    workers = [find_on(node, "^ray::RayWorkerProc") for node in anna.bed.ground.nodes]
    assert [len(pids) for pids in workers] == [1, 1]
    check_strangers_find_no_open_port(anna)
    check_answers(anna, name)  # they did no harm either
    plan = (anna.paths(name).root / "ranks-0.json").read_text()
    head = re.search(r'"head_address": "([\d.]+)",\s+"head_port": (\d+)', plan)
    assert head is not None
    ben = Login(anna.bed, anna.bed.ground.neighbour)
    code = f"import ray; ray.init(address='{head[1]}:{head[2]}'); print(ray.nodes())"
    knocked = ben.run(sys.executable, "-c", code, check=False, timeout_s=120)
    assert knocked.returncode != 0
    assert "authentication" in knocked.stderr.lower()
    check_ends_without_a_trace(anna, name)


def test_a_killed_rank_is_named_and_a_cut_link_too_and_both_are_mended(anna: Login) -> None:
    anna.use_fake_engine()
    name = launch(anna, *TENSOR)
    second = anna.bed.ground.nodes[1]
    (rank,) = find_on(second, "^sleep 600")
    os.kill(rank, signal.SIGKILL)
    assert wait_for_restart(anna, name, 150).trouble is not None
    assert str(engine(anna, name).trouble.message).startswith(f"On {second.name}: The engine was killed")
    set_link(second, "down")
    try:
        silent = lambda: "Nothing was heard from" in str(engine(anna, name).trouble)  # noqa: E731
        anna.wait_until(silent, 60, "the loss of the node")
        assert second.name in str(engine(anna, name).trouble.message)
    finally:
        set_link(second, "up")
        network.run("ip", "-n", second.namespace, "route", "add", "default", "via",
                    anna.bed.ground.address, check=False)  # fmt: skip
    anna.wait_until(lambda: engine(anna, name).phase == "ready", 240, "the engine's return")
    assert len(find_on(second, "^sleep 600")) == 1  # what the cut left there is gone
    assert anna.curc_llm("ask", "-s", name, "Hello").stdout.strip()
    check_ends_without_a_trace(anna, name)


def test_what_vllm_cannot_spread_is_refused_before_anything_is_submitted(anna: Login) -> None:
    anna.use_fake_engine()
    words = ("launch", "demo", "--hours", "1", "--account", "ucb-general", "--num-nodes", "2")
    done = anna.curc_llm(*words, "--num-gpus", "3", check=False)
    assert done.returncode != 0
    assert "2 nodes" in done.stderr
    assert anna.run("squeue", "--me", "--noheader").stdout == ""
