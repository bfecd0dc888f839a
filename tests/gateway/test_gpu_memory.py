from __future__ import annotations

import asyncio
from pathlib import Path

from curc_llm.gateway.gpu_memory import GpuMemory, parse_memory
from tests.gateway.conftest import wait_for


def make_nvidia_smi(folder: Path, script: str) -> dict[str, str]:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


async def test_the_memory_of_all_gpus_is_told_once_it_is_known(tmp_path: Path) -> None:
    memory = GpuMemory(make_nvidia_smi(tmp_path, 'printf "10, 100\\n20, 100\\n"'))
    assert memory.render() == ""
    await wait_for(lambda: memory.render() != "")
    lines = memory.render().splitlines()
    assert f"curc_llm_gpu_memory_used_bytes {30 * 2**20}" in lines
    assert f"curc_llm_gpu_memory_total_bytes {200 * 2**20}" in lines


async def test_only_the_sessions_own_gpus_are_asked_for(tmp_path: Path) -> None:
    environ = make_nvidia_smi(tmp_path, f'echo "$@" > {tmp_path}/asked; echo "1, 2"')
    memory = GpuMemory(environ | {"CUDA_VISIBLE_DEVICES": "1,3"})
    memory.render()
    await wait_for(lambda: memory.render() != "")
    assert "--id=1,3" in (tmp_path / "asked").read_text()


async def test_nvidia_smi_is_not_asked_again_at_once(tmp_path: Path) -> None:
    memory = GpuMemory(make_nvidia_smi(tmp_path, f'echo x >> {tmp_path}/asked; echo "1, 2"'))
    memory.render()
    await wait_for(lambda: memory.render() != "")
    for _ in range(5):
        memory.render()
        await asyncio.sleep(0.01)
    assert (tmp_path / "asked").read_text() == "x\n"


async def test_without_gpus_nothing_is_told(tmp_path: Path) -> None:
    broken = GpuMemory(make_nvidia_smi(tmp_path, f"echo x > {tmp_path}/asked; echo '1, 2'; exit 9"))
    broken.render()
    await wait_for((tmp_path / "asked").exists)
    await asyncio.sleep(0.1)
    assert broken.render() == ""
    assert GpuMemory({"PATH": ""}).render() == ""


def test_a_gpu_that_is_split_says_nothing() -> None:
    assert parse_memory("[N/A], [N/A]\n") is None
    assert parse_memory("[N/A], [N/A]\n1, 2\n") == (2**20, 2 * 2**20)
