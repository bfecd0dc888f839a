"""The site `local`: this machine, asked with a fake nvidia-smi that is a real executable."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from curc_llm.errors import SiteError
from curc_llm.sites.load import load_site
from curc_llm.sites.lookup import list_gpus

Fake = Callable[..., None]
A100 = "NVIDIA A100-SXM4-80GB, 81920, 8.0"


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts an nvidia-smi on the path that answers both questions with fixed text."""

    def make(query: str, listing: str = "", code: int = 0) -> None:
        (tmp_path / "query").write_text(query + "\n")
        (tmp_path / "list").write_text(listing + "\n")
        program = tmp_path / "nvidia-smi"
        lines = [
            "#!/bin/sh",
            f'case "$1" in -L) cat {tmp_path}/list;;',
            "--query-gpu=name,memory.total,compute_cap)",
            f'[ "$2" = --format=csv,noheader,nounits ] && cat {tmp_path}/query;;',
            f"esac; exit {code}",
        ]
        program.write_text("\n".join(lines))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return make


def test_a_known_gpu_is_recognised(nvidia_smi: Fake) -> None:
    nvidia_smi(A100, "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-1)")
    site = load_site("local")
    [gpu] = list_gpus(site)
    assert (gpu.name, gpu.card.memory_gib, gpu.gpus_per_node) == ("a100-80gb-sxm", 79.14, 1)
    assert site.sources[gpu.card.source].title.startswith("NVIDIA A100")


def test_equal_gpus_are_counted_and_different_ones_listed(nvidia_smi: Fake) -> None:
    nvidia_smi(f"{A100}\n{A100}\nNVIDIA L40, 46068, 8.9")
    site = load_site("local")
    assert {gpu.name: gpu.gpus_per_node for gpu in list_gpus(site)} == {"a100-80gb-sxm": 2, "l40": 1}
    assert site.partitions["local"].gpus_per_node == 3


def test_an_unknown_gpu_is_described_from_what_nvidia_smi_says(nvidia_smi: Fake) -> None:
    nvidia_smi("NVIDIA GeForce RTX 6099, Special, 20480, 12.1")
    [gpu] = list_gpus(load_site("local"))
    assert gpu.card.title == "NVIDIA GeForce RTX 6099, Special"
    assert gpu.name == "nvidia-geforce-rtx-6099-special"
    assert (gpu.card.compute_capability, gpu.card.verified) == (12.1, False)
    assert gpu.card.memory_gib == pytest.approx(20 * 0.97)


def test_a_split_gpu_is_its_instances(nvidia_smi: Fake) -> None:
    listing = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-1)
  MIG 3g.20gb     Device  0: (UUID: MIG-1)
  MIG 3g.20gb     Device  1: (UUID: MIG-2)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-2)"""
    nvidia_smi("NVIDIA A100-SXM4-40GB, 40960, 8.0\nNVIDIA A100-SXM4-40GB, 40960, 8.0", listing)
    found = {gpu.name: (gpu.gpus_per_node, gpu.card.is_mig) for gpu in list_gpus(load_site("local"))}
    assert found == {"a100-3g-20gb": (2, True), "a100-40gb-sxm": (1, False)}


def test_an_unknown_instance_has_the_memory_of_its_profile(nvidia_smi: Fake) -> None:
    listing = "GPU 0: NVIDIA H300 (UUID: GPU-1)\n  MIG 1g.40gb     Device  0: (UUID: MIG-1)\n"
    nvidia_smi("NVIDIA H300, 327680, 10.0", listing)
    [gpu] = list_gpus(load_site("local"))
    assert (gpu.card.title, gpu.card.is_mig) == ("NVIDIA H300 MIG 1g.40gb", True)
    assert gpu.card.memory_gib == pytest.approx(40e9 / 2**30, abs=0.01)


@pytest.mark.parametrize("code", [0, 9])
def test_without_a_gpu_the_processor_and_its_memory_count(nvidia_smi: Fake, code: int) -> None:
    nvidia_smi("", code=code)
    site = load_site("local")
    [gpu] = list_gpus(site)
    assert (gpu.name, gpu.card.vendor) == ("cpu", "cpu")
    assert gpu.gpu_type.max_cores_per_gpu == len(os.sched_getaffinity(0))
    assert gpu.card.memory_gib == pytest.approx(gpu.gpu_type.max_memory_per_gpu_gib, abs=0.01)
    assert site.partitions["local"].gpu_link == "none"


def test_without_nvidia_smi_likewise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [gpu.card.vendor for gpu in list_gpus(load_site("local"))] == ["cpu"]


@pytest.mark.parametrize("answer", ["No devices were found", "NVIDIA A100, lots, 8.0", "a,b"])
def test_an_answer_that_makes_no_sense_is_shown(nvidia_smi: Fake, answer: str) -> None:
    nvidia_smi(answer)
    with pytest.raises(SiteError) as caught:
        load_site("local")
    assert repr(answer) in caught.value.message
    assert "nvidia-smi --query-gpu" in caught.value.remedy


def test_a_capability_that_is_not_told_is_unknown(nvidia_smi: Fake) -> None:
    nvidia_smi("NVIDIA Old One, 8192, [N/A]")
    [gpu] = list_gpus(load_site("local"))
    assert gpu.card.compute_capability is None


@pytest.mark.parametrize(("visible", "count"), [("0", 1), ("1,0", 2), ("", 0), ("-1", 0), ("GPU-1a", 2)])
def test_only_gpus_that_cuda_may_see_count(
    nvidia_smi: Fake, monkeypatch: pytest.MonkeyPatch, visible: str, count: int
) -> None:
    nvidia_smi(f"{A100}\n{A100}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus = [gpu for gpu in list_gpus(load_site("local")) if gpu.card.vendor == "nvidia"]
    assert sum(gpu.gpus_per_node for gpu in gpus) == count


def test_this_machine_has_no_queue_and_no_price(nvidia_smi: Fake) -> None:
    nvidia_smi(A100)
    site = load_site("local")
    [gpu] = list_gpus(site)
    assert (site.qos, gpu.gpu_type.qos, gpu.gpu_type.su_per_gpu_h) == ({}, {}, 0)
    assert not site.account.is_required
    assert site.partitions["local"].max_nodes_per_job == 1
