"""What nodes tell of themselves becomes sentences: what differs, what is missing, what is full."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.engine.gpu_facts import GpuFacts
from curc_llm.engine.node_facts import FolderFacts, ModelFacts, NodeFacts, PreflightRequest
from curc_llm.engine.preflight_findings import compare_nodes

VERSIONS = {"curc-llm": "0.6.0", "engine python": "3.12.1", "vllm": "0.32.0", "torch": "2.13.0"}
H100 = GpuFacts("NVIDIA H100", 80.0, 79.5)


def node(name: str, **changes: Any) -> NodeFacts:
    usual: dict[str, Any] = {
        "interface": "ib0",
        "address": f"10.0.0.{name[-1]}",
        "kind": "infiniband",
        "gpus": (H100,) * 2,
        "driver": "580.1",
        "cuda": "13.0",
        "versions": VERSIONS,
        "vllm_path": "/env/vllm",
        "models": (ModelFacts(path="/m", fingerprint="a", size_gib=10),),
        "folders": (FolderFacts(path="/tmp", free_gib=100),),
        "open_files": 65536,
    }
    return NodeFacts(node=name, **usual | changes)


def look(**changes: Any) -> list[tuple[str, bool, str]]:
    """Findings for n1 as it should be, and n2 with changes."""
    request = PreflightRequest(device="cuda", models=("/m",), gpus_per_node=2)
    found = compare_nodes([node("n1"), node("n2", **changes)], request)
    return [(finding.code, finding.is_fatal, finding.message) for finding in found]


def test_nodes_that_are_alike_are_fine() -> None:
    assert look() == []


@pytest.mark.parametrize(
    ("changes", "code", "is_fatal", "message"),
    [
        (
            {"versions": {**VERSIONS, "vllm": "0.31.0"}},
            "environments_differ", True,
            "The nodes have different versions of vllm: 0.32.0 on n1; 0.31.0 on n2.",
        ),
        (
            {"versions": {"curc-llm": "0.6.0", "engine python": "3.12.1", "torch": "2.13.0"}},
            "environments_differ", True, "0.32.0 on n1; missing on n2",
        ),
        ({"vllm_path": "/other/vllm"}, "environments_differ", False, "/env/vllm on n1; /other/vllm on n2"),
        (
            {"models": (ModelFacts(path="/m", error="Permission denied"),)},
            "model_unreadable", True, "The model /m can't be read on n2: Permission denied.",
        ),
        (
            {"models": (ModelFacts(path="/m", fingerprint="b", size_gib=9.5),)},
            "model_differs", True, "isn't the same on all nodes: 10.00 GiB on n1; 9.50 GiB on n2",
        ),
        (
            {"gpus": (H100, GpuFacts("NVIDIA H100", 80.0, 20.0, ("python (pid 42)",)))},
            "gpu_busy", True,
            "GPU 1 (NVIDIA H100) of n2 has 20.0 of 80.0 GiB free, and 73.6 are needed. python (pid 42) runs",
        ),
        ({"gpus": (H100,)}, "gpu_missing", True, "n2 has 1 of the 2 GPUs."),
        ({"gpus": ()}, "gpu_missing", True, "n2 has 0 of the 2 GPUs."),
        ({"gpus": (GpuFacts("NVIDIA A100", 80.0, 79.0),) * 2}, "gpus_differ", False, "NVIDIA A100 on n2"),
        ({"driver": "570.2"}, "drivers_differ", False, "580.1 (CUDA 13.0) on n1; 570.2 (CUDA 13.0) on n2"),
        ({"kind": "ethernet", "interface": "eth0"}, "mixed_network", False, "eth0 (ethernet) on n2"),
        ({"folders": (FolderFacts(path="/tmp", free_gib=0.2),)}, "disk_full", True, "only 0.2 GiB left"),
        ({"folders": (FolderFacts(path="/tmp", free_gib=3.0),)}, "disk_full", False, "only 3.0 GiB left"),
        ({"folders": (FolderFacts(path="/c", error="read-only"),)}, "folder", True, "used on n2: read-only"),
        ({"unseen": ("/hf/.marker",)}, "not_shared", True, "/hf/.marker isn't there on n2."),
        ({"open_files": 1024}, "open_files", False, "may open only 1024 files"),
        (
            {"network_error": "The network interface `hsn`, which …, doesn't exist on n2.", "kind": ""},
            "no_interface", True, "`hsn`",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_on_one_node_is_told_with_its_name(
    changes: dict[str, Any], code: str, is_fatal: bool, message: str
) -> None:
    found = look(**changes)
    assert [(c, f) for c, f, _ in found] == [(code, is_fatal)]
    assert message in found[0][2]


def test_three_nodes_are_put_together_by_what_they_say() -> None:
    nodes = [node("n1"), node("n2"), node("n3", driver="570.2")]
    (found,) = compare_nodes(nodes, PreflightRequest(device="cuda", gpus_per_node=2))
    assert "580.1 (CUDA 13.0) on n1 and n2; 570.2 (CUDA 13.0) on n3" in found.message


def test_the_fatal_stand_first() -> None:
    codes = [code for code, _, _ in look(driver="570.2", gpus=(H100,), open_files=10)]
    assert codes == ["gpu_missing", "drivers_differ", "open_files"]


def test_a_driver_that_no_node_can_ask_says_nothing_of_gpus() -> None:
    nodes = [node("n1", gpus=()), node("n2", gpus=())]
    assert compare_nodes(nodes, PreflightRequest(device="cuda", gpus_per_node=2)) == ()
