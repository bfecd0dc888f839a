"""What the nodes of an engine are told is theirs to read, and nobody else's."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from curc_llm.errors import SpecError
from curc_llm.job.rank import make_rank_environment
from curc_llm.job.rank_plan import RankPlan, read_rank_plan, write_rank_plan
from tests.tracing import without_coverage


@pytest.fixture
def plan(tmp_path: Path) -> RankPlan:
    return RankPlan(
        run_id="s.0", engine_python="python", device="cpu", arguments=(("--model", "/m"), ("--headless",)),
        head_address="10.0.0.1", head_port=29501, runtime_dir=tmp_path, cache_dir=tmp_path / "c",
        hf_home=tmp_path / "h",
    )  # fmt: skip


def test_a_plan_is_read_as_it_was_written_and_closed_to_others(plan: RankPlan, tmp_path: Path) -> None:
    path = tmp_path / "ranks-0.json"
    write_rank_plan(path, plan)
    assert read_rank_plan(path) == plan
    assert plan.num_nodes == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_a_node_does_not_share_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_rank_plan(tmp_path / "gone.json")
    assert "can't be read on this node" in caught.value.message
    assert "state_dir" in caught.value.remedy


def test_a_rank_is_marked_keeps_no_secret_and_has_workers_of_its_own(plan: RankPlan, tmp_path: Path) -> None:
    base = {"PATH": "/bin", "HF_TOKEN": "hf_x", "CUDA_VISIBLE_DEVICES": "2,3", "SLURM_NODEID": "1"}
    environment = make_rank_environment(plan, base, tmp_path)
    assert environment["CURC_ENGINE_RUN"] == "s.0"
    assert environment["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert "HF_TOKEN" not in environment
    assert "VLLM_ENABLE_V1_MULTIPROCESSING" not in environment
    assert environment["CURC_ENGINE_USES_RAY"] == "0"
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in environment


def test_adapters_may_come_and_go_on_many_nodes_too(plan: RankPlan, tmp_path: Path) -> None:
    with_lora = plan.model_copy(update={"has_lora": True})
    assert make_rank_environment(with_lora, {}, tmp_path)["VLLM_ALLOW_RUNTIME_LORA_UPDATING"]


def test_a_node_where_nothing_can_be_written_says_so_and_keeps_nothing(
    plan: RankPlan, tmp_path: Path
) -> None:
    path, room = tmp_path / "ranks-0.json", tmp_path / "r"
    write_rank_plan(path, plan)
    room.mkdir()
    environment = without_coverage(os.environ) | {"SLURM_NODEID": "1", "XDG_RUNTIME_DIR": str(room)}
    full = "ulimit -f 0 && exec "  # no file may have a byte, as on a disk that is full
    command = ["bash", "-c", f"{full}{shlex.join([sys.executable, '-m', 'curc_llm.job.rank', str(path)])}"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert "Error: No folder for sockets can be made on this node: File too large." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(room.iterdir()) == []
