"""What nvidia-smi tells of GPUs, their memory and who holds it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curc_llm.engine.gpu_facts import DriverFacts, parse_gpus, read_gpus

TEXT = """0, GPU-aaaa, NVIDIA H100 80GB HBM3, 81559, 81079, 580.95.05
1, GPU-bbbb, NVIDIA H100 80GB HBM3, 81559, 20480, 580.95.05
"""
RUNNING = """GPU-bbbb, 4242, /env/bin/python
GPU-bbbb, 4243, VLLM::EngineCore, worker
"""


@pytest.mark.parametrize(
    ("visible", "free"),
    [(None, [79.2, 20.0]), ("1", [20.0]), ("GPU-aa", [79.2]), ("", []), ("-1", []), ("1,0", [79.2, 20.0])],
)
def test_only_visible_gpus_count(visible: str | None, free: list[float]) -> None:
    gpus, driver = parse_gpus(TEXT, RUNNING, visible)
    assert [gpu.free_gib for gpu in gpus] == free
    assert driver == "580.95.05"


def test_who_holds_memory_is_told() -> None:
    gpus, _ = parse_gpus(TEXT, RUNNING, None)
    assert gpus[0].processes == ()
    assert gpus[1].processes == ("python (pid 4242)", "VLLM::EngineCore, worker (pid 4243)")


def test_what_cannot_be_understood_is_left_out() -> None:
    assert parse_gpus("No devices were found\n", "", None) == ((), "")
    assert parse_gpus("0, GPU-a, X, [N/A], [N/A], 580\n", "", None)[0][0].memory_gib == 0.0


def test_the_program_is_asked_and_a_missing_one_is_no_gpu(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\ncase $1 in\n"
        f"--query-gpu*) cat <<'E'\n{TEXT}E\n;;\n--version) echo 'CUDA Version        : 13.0' ;;\nesac\n"
    )
    program.chmod(0o755)
    gpus, driver = read_gpus({"PATH": f"{tmp_path}{os.pathsep}/usr/bin:/bin"})
    assert (len(gpus), driver) == (2, DriverFacts("580.95.05", "13.0"))
    assert read_gpus({"PATH": "/nowhere"}) == ((), DriverFacts())
