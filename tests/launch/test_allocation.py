"""What was planned for a site meets the node that Slurm gave."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Literal

import pytest

from curc_llm.launch import allocation
from curc_llm.launch.allocation import AllocationError, fit_allocation, settle
from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.plan.facts import Facts
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings
from curc_llm.spec import DEMO_MODEL_DIR, LaunchSpec

HAS_GPU = Path("/proc/driver/nvidia/gpus").is_dir()
A100 = "NVIDIA A100-SXM4-80GB, 81920, 8.0"
A100_40 = "NVIDIA A100-SXM4-40GB, 40960, 8.0"


def on_a_node_with(
    monkeypatch: pytest.MonkeyPatch, device: Literal["cuda", "cpu"], folder: Path, *gpus: str
) -> None:
    """Makes this machine look like a node with these GPUs, and this Python like one with vLLM."""
    monkeypatch.setattr(allocation, "detect_device", lambda: device)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    folder.mkdir(exist_ok=True)
    lines = "\n".join(gpus)
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n[ $1 = -L ] || echo '{lines}'\n")
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def launch(settings: Settings, facts: Facts, model: str, **asked: object) -> LaunchSpec:
    request = SessionRequest(plan=PlanRequest(model=model, **asked))  # type: ignore[arg-type]
    return make_slurm_spec(request, settings, facts=facts)


def test_the_node_tells_its_name_and_its_python(settings: Settings, alpine: Facts) -> None:
    spec = settle(launch(settings, alpine, "demo"))
    assert (spec.advertise_host, spec.engine_python) == (socket.gethostname(), sys.executable)
    named = launch(settings, alpine, "demo").model_copy(update={"advertise_host": "c1.example.edu"})
    assert settle(named).advertise_host == "c1.example.edu"


def test_the_bundled_model_is_found_where_the_node_has_it(settings: Settings, alpine: Facts) -> None:
    spec = launch(settings, alpine, "demo")
    elsewhere = spec.engines[0].model_copy(update={"model": "/login/node/demo_model"})
    assert settle(spec.model_copy(update={"engines": (elsewhere,)})).engines[0].model == str(DEMO_MODEL_DIR)


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_only_the_bundled_model_goes_without_a_gpu(settings: Settings, alpine: Facts) -> None:
    demo = settle(launch(settings, alpine, "demo"))
    assert demo.device == "cpu"
    assert "answers slowly" in fit_allocation(demo).notes[0]
    with pytest.raises(AllocationError) as error:
        fit_allocation(settle(launch(settings, alpine, "qwen3-8b", gpu_type="l40")))
    assert error.value.code == "no_gpu"
    assert "l40:1" in error.value.message
    assert "curc-llm repeat" in error.value.remedy


def test_a_session_outside_slurm_is_left_alone(settings: Settings, alpine: Facts) -> None:
    spec = launch(settings, alpine, "demo").model_copy(update={"slurm": None})
    assert settle(spec) is spec
    assert fit_allocation(spec).spec == spec


@pytest.mark.parametrize("python", ["/bin/false", "/nonexistent/python"])
def test_a_runtime_without_vllm_is_named(settings: Settings, alpine: Facts, python: str) -> None:
    spec = settle(launch(settings, alpine, "demo").model_copy(update={"engine_python": python}))
    with pytest.raises(AllocationError, match=python) as error:
        fit_allocation(spec)
    assert error.value.code == "no_runtime"


def test_what_was_planned_is_kept_when_the_gpus_are_as_planned(
    settings: Settings, alpine: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_node_with(monkeypatch, "cuda", tmp_path / "bin", A100)
    spec = settle(launch(settings, alpine, "llama-3.1-8b-instruct", gpu_type="a100_80gb", num_gpus=1))
    made = fit_allocation(spec)
    assert (made.spec, made.notes) == (spec, ())


def test_other_gpus_than_planned_are_planned_for_anew_and_it_is_told(
    settings: Settings, alpine: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = settle(
        launch(settings, alpine, "llama-3.1-70b-instruct", gpu_type="h200", num_gpus=2, quantisation="bf16")
    )
    on_a_node_with(monkeypatch, "cuda", tmp_path / "bin", A100, A100, A100, A100)
    made = fit_allocation(spec)
    assert made.spec.engines[0].tensor_parallel_size == 4
    assert "not as planned on 2 x h200" in made.notes[0]


def test_too_little_ends_with_what_was_got_and_what_was_planned(
    settings: Settings, alpine: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = settle(
        launch(settings, alpine, "llama-3.1-70b-instruct", gpu_type="h200", num_gpus=2, quantisation="bf16")
    )
    on_a_node_with(monkeypatch, "cuda", tmp_path / "bin", A100_40)
    with pytest.raises(AllocationError, match="did not get what was planned") as error:
        fit_allocation(spec)
    assert error.value.code == "does_not_fit"
    assert "2 x h200" in error.value.message


def test_without_nvidia_smi_vllm_will_tell(
    settings: Settings, alpine: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_node_with(monkeypatch, "cuda", tmp_path / "bin")
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    spec = settle(launch(settings, alpine, "llama-3.1-8b-instruct", gpu_type="a100_80gb"))
    assert fit_allocation(spec).spec == spec


def test_two_models_that_share_a_gpu_are_kept_on_the_gpu_that_was_planned(
    settings: Settings, alpine: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_node_with(monkeypatch, "cuda", tmp_path / "bin", A100)
    asked = {"gpu_type": "a100_80gb", "num_gpus": 1, "embed": "qwen3-embedding-0.6b"}
    spec = settle(launch(settings, alpine, "llama-3.1-8b-instruct", **asked))
    made = fit_allocation(spec)
    assert (made.spec, made.notes) == (spec, ())


def test_two_models_are_planned_anew_together_on_other_gpus(
    settings: Settings, alpine: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"gpu_type": "h200", "num_gpus": 1, "quantisation": "bf16", "embed": "qwen3-embedding-0.6b"}
    spec = settle(launch(settings, alpine, "qwen3-32b", **asked))
    on_a_node_with(monkeypatch, "cuda", tmp_path / "bin", A100_40, A100_40, A100_40, A100_40)
    made = fit_allocation(spec)
    chat, embed = made.spec.engines
    assert chat.pipeline_parallel_size == 3
    assert (embed.tensor_parallel_size, embed.device_ids) == (1, (0,))
    assert chat.gpu_memory_utilization is not None
    assert embed.gpu_memory_utilization is not None
    assert 0.8 < chat.gpu_memory_utilization + embed.gpu_memory_utilization < 0.9
    assert "qwen3-32b and qwen3-embedding-0.6b run on" in made.notes[0]


def test_replicas_are_kept_planned_anew_or_refused_together(
    settings: Settings, alpine: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"gpu_type": "h200", "num_gpus": 1, "quantisation": "bf16", "replicas": 2}
    spec = settle(launch(settings, alpine, "qwen3-32b", **asked))
    assert [engine.device_ids for engine in spec.engines] == [(0,), (1,)]
    on_a_node_with(monkeypatch, "cuda", tmp_path / "as-planned", *["NVIDIA H200, 143771, 9.0"] * 2)
    assert fit_allocation(spec).spec == spec
    on_a_node_with(monkeypatch, "cuda", tmp_path / "smaller", *[A100_40] * 4)
    made = fit_allocation(spec)
    assert [engine.device_ids for engine in made.spec.engines] == [(0, 1), (2, 3)]
    assert "qwen3-32b in 2 replicas runs each on 2 x" in made.notes[0]
    on_a_node_with(monkeypatch, "cuda", tmp_path / "too-few", *[A100_40] * 3)
    with pytest.raises(
        AllocationError, match=r"2 replicas with . x a100-40gb-sxm each need . GPUs on one node"
    ):
        fit_allocation(spec)


def test_two_models_that_no_longer_fit_end_with_what_was_got(
    settings: Settings, alpine: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"gpu_type": "a100_80gb", "num_gpus": 1, "quantisation": "bf16", "embed": "qwen3-embedding-8b"}
    spec = settle(launch(settings, alpine, "llama-3.1-8b-instruct", **asked))
    on_a_node_with(monkeypatch, "cuda", tmp_path / "bin", "NVIDIA L4, 23034, 8.9")
    with pytest.raises(AllocationError, match=r"on the same GPU has .* GiB of it"):
        fit_allocation(spec)
