"""A model, a GPU type and a site that nobody has written code for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

MODEL = """
version: 1
models:
  our-12b:
    title: Our 12B
    uses: [chat]
    max_context_tokens: 16384
    weights:
      - {hub_id: our-lab/our-12b, format: bf16}
    architecture:
      class_name: LlamaForCausalLM
      num_layers: 40
      hidden_size: 5120
      num_attention_heads: 40
      vocab_size: 32000
      attention:
        - {kind: full, num_layers: 40, num_kv_heads: 8, head_dim: 128}
      total_params: 12000000000
"""
SITE = """
version: 1
name: ours
title: Our Centre
sources:
  us: {title: We measured it, url: https://hpc.example.edu, date: 2026-11-21}
account: {source: us}
billing: {source: us, su_per_core_h: 1.0}
storage: {source: us, state_dir: /projects/$USER, cache_dir: /scratch/$USER}
runtime: {source: us}
qos:
  day: {source: us, max_time_h: 24}
cards:
  x9:
    source: us
    title: Example X9
    memory_gb: 64
    memory_gib: 60
    memory_bandwidth_gb_per_s: 2000
    compute_capability: 9.0
partitions:
  big:
    source: us
    nodes: 2
    gpus_per_node: 2
    cores_per_node: 32
    memory_per_core_gib: 8
    max_nodes_per_job: 1
    gpu_types:
      x9: {source: us, card: x9, max_cores_per_gpu: 16, su_per_gpu_h: 50, qos: {day: {max_gpus_per_user: 2}}}
"""


@pytest.fixture
def ours(tmp_path: Path) -> tuple[str, ...]:
    """Flags that name a site file and, in a settings file, a catalogue file."""
    (tmp_path / "site.yml").write_text(SITE)
    (tmp_path / "catalogue.yml").write_text(MODEL)
    (tmp_path / "config.yml").write_text(f"catalogue: {tmp_path}/catalogue.yml\n")
    return "-c", str(tmp_path / "config.yml"), "--site", str(tmp_path / "site.yml")


def test_model_gpu_type_and_site_are_listed(run: Run, ours: tuple[str, ...]) -> None:
    assert "Our 12B" in run("models", "show", "our-12b", *ours[:2]).stdout
    assert "our-12b" in run("models", "our", *ours[:2]).stdout
    assert "x9" in run("gpus", *ours).stdout


def test_they_are_planned(run: Run, ours: tuple[str, ...]) -> None:
    result = run("plan", "our-12b", "--hours", "2", "--json", *ours)
    plan = json.loads(result.stdout)
    assert (plan["fits"], plan["partition"], plan["gpu_type"], plan["num_gpus"]) == (True, "big", "x9", 1)
    assert plan["weights_gib"] == pytest.approx(22.4, abs=0.1)
    assert plan["kv_bytes_per_token"] == 2 * 40 * 8 * 128 * 2
    assert plan["su_per_h"] == pytest.approx(50 + plan["cpus"])


@pytest.mark.slow
def test_they_are_in_the_launch_table(run: Run, ours: tuple[str, ...], tmp_path: Path) -> None:
    assert run("table", "--output", str(tmp_path / "t.json"), *ours).exit_code == 0
    table = json.loads((tmp_path / "t.json").read_text())
    assert table["site"]["name"] == "ours"
    assert list(table["gpus"]) == ["x9"]
    assert "our-12b" in table["models"]
    assert any("our-12b" in place for place in table["plans"])
