from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from curc_llm.engine.machine import (
    count_cores,
    find_nvcc,
    read_engine_version,
    read_gpu_type,
    run_question,
)


def make_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


async def test_the_version_is_that_of_the_python_that_has_vllm(tmp_path: Path) -> None:
    python = make_program(tmp_path / "python", "echo 0.31.4")
    assert await read_engine_version(str(python)) == "0.31.4"


async def test_a_python_without_vllm_has_no_version(tmp_path: Path) -> None:
    assert await read_engine_version(str(tmp_path / "missing")) is None
    bare = make_program(tmp_path / "bare", f'exec {sys.executable} -S -E "$@"')
    assert await read_engine_version(str(bare)) is None


async def test_the_gpus_name_is_asked_of_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_program(tmp_path / "nvidia-smi", "echo 'NVIDIA L40'; echo 'NVIDIA L40'")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await read_gpu_type("cuda") == "NVIDIA L40"


async def test_a_gpu_that_does_not_answer_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await read_gpu_type("cuda") == "unknown GPU"


async def test_without_gpu_it_is_the_processor() -> None:
    assert (await read_gpu_type("cpu")).startswith("cpu")


async def test_a_question_that_hangs_is_given_up() -> None:
    assert await run_question(["sleep", "60"], timeout_s=0.1) == ""


async def test_a_question_that_fails_has_no_answer() -> None:
    assert await run_question(["sh", "-c", "echo half; exit 3"]) == ""


def test_nvcc_is_found_where_flashinfer_looks(tmp_path: Path) -> None:
    home = make_program(tmp_path / "cuda" / "bin" / "nvcc", "true")
    on_path = make_program(tmp_path / "bin" / "nvcc", "true")
    assert find_nvcc({"CUDA_HOME": str(tmp_path / "cuda"), "PATH": str(tmp_path / "bin")}) == str(home)
    assert find_nvcc({"PATH": str(tmp_path / "bin")}) == str(on_path)


def test_only_the_cores_of_the_job_count() -> None:
    assert count_cores() == len(os.sched_getaffinity(0))
