"""The GPUs that a program started here can use, with their driver and what runs on them already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from curc_llm.sites.nvidia_smi import ask_nvidia_smi

GPU_FIELDS = "index,uuid,name,memory.total,memory.free,driver_version"
CUDA_VERSION = re.compile(r"CUDA Version\s*:\s*([0-9.]+)")
MIB_PER_GIB = 1024


class GpuFacts(NamedTuple):
    """One GPU: its product name, its memory, what of it is free, and which processes hold some.

    Args:
        processes: such as `python (pid 42)`; in a container they may be hidden although memory is held.
    """

    name: str
    memory_gib: float
    free_gib: float
    processes: tuple[str, ...] = ()


class DriverFacts(NamedTuple):
    """NVIDIA's driver: its version, and the newest CUDA version that it serves; empty where there is none."""

    version: str = ""
    cuda: str = ""


def read_gpus(environ: Mapping[str, str]) -> tuple[tuple[GpuFacts, ...], DriverFacts]:
    """What nvidia-smi tells; nothing where it is missing.

    Args:
        environ: CUDA_VISIBLE_DEVICES in it is obeyed.
    """
    text = _ask(f"--query-gpu={GPU_FIELDS}", environ)
    if not text.strip():
        return (), DriverFacts()
    running = _ask("--query-compute-apps=gpu_uuid,pid,process_name", environ)
    gpus, driver = parse_gpus(text, running, environ.get("CUDA_VISIBLE_DEVICES"))
    found = CUDA_VERSION.search(ask_nvidia_smi(["nvidia-smi", "--version"], environ))
    return gpus, DriverFacts(driver, found[1] if found else "")


def parse_gpus(text: str, running: str, visible: str | None) -> tuple[tuple[GpuFacts, ...], str]:
    """The visible GPUs, and the driver's version. Pure.

    Args:
        text: lines of nvidia-smi's GPU_FIELDS.
        running: lines of uuid, pid, process name.
        visible: CUDA_VISIBLE_DEVICES; None: all.

    Example:
        >>> gpus, driver = parse_gpus("0, GPU-1, H100, 81920, 81000, 580.1", "GPU-1, 42, python", None)
        >>> gpus[0].processes, driver
        (('python (pid 42)',), '580.1')
    """
    rows = [[part.strip() for part in line.split(",")] for line in text.splitlines()]
    holders = [[part.strip() for part in line.split(",", 2)] for line in running.splitlines()]
    whole = [row for row in rows if len(row) == 6]
    gpus = []
    for index, uuid, name, total, free, _ in whole:
        if _is_visible(index, uuid, visible):
            on_it = tuple(f"{h[2].rsplit('/', 1)[-1]} (pid {h[1]})" for h in holders if h[0] == uuid)
            gpus.append(GpuFacts(name, _gib(total), _gib(free), on_it))
    return tuple(gpus), whole[0][5] if whole else ""


def _gib(mib: str) -> float:
    return round(float(mib) / MIB_PER_GIB, 1) if mib.replace(".", "", 1).isdigit() else 0.0


def _is_visible(index: str, uuid: str, visible: str | None) -> bool:
    """By number or by the beginning of the UUID, as CUDA takes them."""
    names = [part.strip() for part in (visible or "").split(",") if part.strip()]
    return visible is None or any(name == index or uuid.startswith(name) for name in names if name != "-1")


def _ask(query: str, environ: Mapping[str, str]) -> str:
    return ask_nvidia_smi(["nvidia-smi", query, "--format=csv,noheader,nounits"], environ)
