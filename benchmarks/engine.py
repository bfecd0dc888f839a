"""Bare vLLM on a unix socket: the yardstick of a session's start, and what the gateways are put before."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from processes import run_child, wait_until

MODEL = "curc-guide"
MODEL_DIR = Path(__file__).parent.parent / "src" / "curc_llm" / "data" / "demo_model"
START_LIMIT_S = 300


def make_engine_command(model_dir: Path, engine_socket: Path) -> list[str]:
    """The command of a plain vLLM that serves the model as the demo does."""
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model_dir)]
    command += ["--served-model-name", MODEL, "--uds", str(engine_socket), "--enforce-eager"]
    return [*command, "--max-num-seqs", "64"]


def make_engine_environment(folder: Path) -> dict[str, str]:
    """The least that vLLM needs on a machine without a GPU and without a network."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def is_ready(engine_socket: Path) -> bool:
    """Whether /health on the socket says 200."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            probe.connect(str(engine_socket))
            probe.sendall(b"GET /health HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            return probe.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


@contextlib.contextmanager
def run_engine(folder: Path, model_dir: Path = MODEL_DIR) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Runs bare vLLM; yields its socket and process once it is ready."""
    engine_socket, log = folder / "engine.sock", folder / "engine.log"
    command = make_engine_command(model_dir, engine_socket)
    with run_child(command, log, env=make_engine_environment(folder)) as child:
        wait_until(lambda: is_ready(engine_socket), child, log, START_LIMIT_S)
        yield engine_socket, child
