"""The GPUs of this machine as `nvidia-smi` tells them, MIG instances included."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from curc_llm.errors import SiteError

QUERY = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
LIST = ["nvidia-smi", "-L"]
TIMEOUT_S = 20.0
GPU_LINE = re.compile(r"^GPU (\d+):")
MIG_LINE = re.compile(r"^\s+MIG (\S+)\s+Device")


@dataclass(frozen=True)
class FoundGpu:
    """One GPU, or one MIG instance.

    Args:
        name: the product, such as `NVIDIA A100-SXM4-80GB`.
        memory_mib: of the whole GPU in MiB, as nvidia-smi counts it.
        compute_capability: None where nvidia-smi doesn't say.
        mig_profile: such as `3g.20gb`; empty for a whole GPU.
    """

    name: str
    memory_mib: float
    compute_capability: float | None = None
    mig_profile: str = ""

    @property
    def product_name(self) -> str:
        """As torch prints it: the product, and for an instance its profile."""
        return f"{self.name} MIG {self.mig_profile}" if self.mig_profile else self.name


def find_local_gpus(environ: Mapping[str, str]) -> tuple[FoundGpu, ...]:
    """The GPUs that a program started here can use; none where nvidia-smi is missing or finds none.

    Args:
        environ: the environment; CUDA_VISIBLE_DEVICES with numbers is obeyed, as CUDA does.

    Raises:
        SiteError: nvidia-smi answers with something that can't be understood.
    """
    text = ask_nvidia_smi(QUERY, environ)
    gpus = [_parse(line) for line in text.splitlines() if line.strip()]
    found = [(index, gpu) for index, gpu in enumerate(gpus) if _is_visible(index, environ)]
    profiles = _list_mig_profiles(ask_nvidia_smi(LIST, environ)) if found else {}
    return tuple(part for index, gpu in found for part in _split(gpu, profiles.get(index, [])))


def ask_nvidia_smi(command: list[str], environ: Mapping[str, str]) -> str:
    """What nvidia-smi prints; empty when it is missing, fails (no driver), or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, env=dict(environ), check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _parse(line: str) -> FoundGpu:
    try:
        name, memory, capability = (part.strip() for part in line.rsplit(",", 2))
        # A MIG-capable GPU may answer "[N/A]" for what it doesn't know.
        return FoundGpu(name, float(memory), float(capability) if capability[:1].isdigit() else None)
    except ValueError as error:
        raise SiteError(
            f"nvidia-smi says {line.strip()!r}, which isn't a name, a memory size and a compute capability.",
            f"Look at the output of: {' '.join(QUERY)}",
        ) from error


def _list_mig_profiles(text: str) -> dict[int, list[str]]:
    """The MIG instances of each GPU by its number."""
    profiles: dict[int, list[str]] = {}
    index = -1
    for line in text.splitlines():
        if gpu := GPU_LINE.match(line):
            index = int(gpu[1])
        elif mig := MIG_LINE.match(line):
            profiles.setdefault(index, []).append(mig[1])
    return profiles


def _split(gpu: FoundGpu, profiles: list[str]) -> list[FoundGpu]:
    """A GPU that is split can only be used by its instances."""
    if not profiles:
        return [gpu]
    return [FoundGpu(gpu.name, gpu.memory_mib, gpu.compute_capability, profile) for profile in profiles]


def _is_visible(index: int, environ: Mapping[str, str]) -> bool:
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    numbers = [part.strip() for part in (visible or "").split(",")]
    if visible is None or not all(number.lstrip("-").isdigit() for number in numbers):
        return visible != ""
    return str(index) in numbers
