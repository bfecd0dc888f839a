"""A preflight over the two nodes of a real Slurm: what it finds when all is well, and when it isn't."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from curc_llm.sites.load import SITES_DIR
from curc_llm.spec import DEMO_MODEL_DIR
from tests.testbed.bed import Bed
from tests.testbed.faults import deaf, without_folder
from tests.testbed.login import Login

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
CAPELLA = (SITES_DIR / "capella.yml").read_text()
OTHER_PYTHON = f"""#!/bin/sh
test "$(hostname)" = tn2 && exec /usr/bin/python3 "$@"
exec {sys.executable} "$@"
"""


@pytest.fixture
def anna(second_bed: Bed) -> Login:
    """A researcher at the second site."""
    second_bed.clear()
    more = {"CURC_LLM_SITE": "capella", "CURC_LLM_DEVICE": "cpu", "CURC_LLM_ENGINE_PYTHON": sys.executable}
    login = Login(second_bed, more=more)
    login.clear()
    return login


def use_network(login: Login, words: str) -> None:
    """From now on the site's file says this of the network."""
    site = login.bed.ground.folder / "network.yml"
    network = f"network: {{source: capella, {words}}}"
    site.write_text(CAPELLA.replace("\npartitions:\n", f"\n{network}\npartitions:\n", 1))
    login.more["CURC_LLM_SITE"] = str(site)


def look(login: Login, *options: str, fails: bool = False) -> dict[str, Any]:
    """The report of a job that looks at both nodes."""
    asked = ("preflight", "--partition", "capella", "--account", "ucb-general", "--json", *options)
    done = login.curc_llm(*asked, check=False)
    assert done.returncode == (1 if fails else 0), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def messages(report: dict[str, Any], code: str) -> str:
    return " ".join(f["message"] for f in report["findings"] if f["code"] == code)


@contextmanager
def second_network(bed: Bed) -> Iterator[None]:
    """Another network between the nodes, `hsn0`, as a cluster's fast one."""
    one, two = bed.ground.nodes
    bed.run(
        "ip",
        "-n",
        one.namespace,
        "link",
        "add",
        "hsn0",
        "type",
        "veth",
        "peer",
        "hsn0",
        "netns",
        two.namespace,
    )
    try:
        for node, address in ((one, "10.99.0.1"), (two, "10.99.0.2")):
            bed.run("ip", "-n", node.namespace, "addr", "add", f"{address}/24", "dev", "hsn0")
            bed.run("ip", "-n", node.namespace, "link", "set", "hsn0", "up")
        yield
    finally:
        bed.run("ip", "-n", one.namespace, "link", "del", "hsn0", check=False)


def test_two_nodes_that_are_well_see_each_other_and_are_alike(anna: Login) -> None:
    report = look(anna, "--model", str(DEMO_MODEL_DIR))
    assert (report["status"], report["nodes"]) == ("ok", ["tn1", "tn2"])
    assert set(report["figures"]) == {"latency_ms", "link_gb_per_s", "all_reduce_gb_per_s"}
    assert all(f"10.21.{anna.bed.ground.number}.1" in facts for facts in report["facts"].values())
    assert not list(anna.sessions.parent.glob("preflight-*"))


def test_it_speaks_over_the_network_that_the_site_names_and_finds_it_slow(anna: Login) -> None:
    use_network(anna, "interface: hsn, min_gb_per_s: 900")
    with second_network(anna.bed):
        report = look(anna)
    assert "hsn0 (ethernet) 10.99.0.1" in report["facts"]["tn1"]
    assert report["status"] == "warning"
    assert "the site file says at least 900" in messages(report, "slow_network")


def test_nodes_whose_link_is_cut_are_named_with_their_addresses(anna: Login) -> None:
    use_network(anna, "interface: hsn")
    with second_network(anna.bed), deaf(anna.bed, "hsn0", "10.99.0.1", "10.99.0.2"):
        report = look(anna, fails=True)
    assert "tn1 (hsn0, 10.99.0.1) can't reach tn2 (hsn0, 10.99.0.2): no answer" in messages(
        report, "nodes_apart"
    )


def test_nodes_with_different_environments_are_told_apart(anna: Login) -> None:
    python = anna.bed.ground.folder / "other_python"
    python.write_text(OTHER_PYTHON)
    python.chmod(0o755)
    anna.more["CURC_LLM_ENGINE_PYTHON"] = str(python)
    report = look(anna, fails=True)
    assert "versions of torch" in messages(report, "environments_differ")
    assert "missing on tn2" in messages(report, "environments_differ")


def test_a_model_that_one_node_cannot_read_is_told_with_the_node(anna: Login) -> None:
    model = Path(shutil.copytree(DEMO_MODEL_DIR, anna.bed.home() / "model", dirs_exist_ok=True))
    with without_folder(anna.bed, anna.bed.ground.nodes[1], model):
        report = look(anna, "--model", str(model), fails=True)
    assert f"The model {model} can't be read on tn2: " in messages(report, "model_unreadable")


def test_a_session_on_nodes_without_their_network_ends_before_its_model_is_loaded(anna: Login) -> None:
    use_network(anna, "interface: ib7")
    launched = anna.ask_json(
        *("launch", "demo", "--num-nodes", "2", "--num-gpus", "2", "--data-parallel-size", "2"),
        *("--hours", "1", "--account", "ucb-general"),
    )
    name = launched["session_id"]
    anna.wait_until(lambda: (r := anna.record(name)) and r.ended_at, 60, "its end")
    status = anna.status(name)
    assert (status["status"], status["reason"]["code"]) == ("failed", "no_interface")
    assert "`ib7`, which the site file names, doesn't exist on tn1" in status["reason"]["message"]
    assert "eth0 (ethernet, 10.21." in status["reason"]["remedy"]
    assert status["preflight"]["nodes"] == ["tn1", "tn2"]
    shown = anna.curc_llm("preflight", name, check=False)
    assert shown.returncode == 1
    assert "ERROR    The network interface `ib7`" in shown.stdout
    anna.wait_until(lambda: not anna.processes(), 15, "the end of its processes")
