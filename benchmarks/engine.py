"""Bare vLLM on a unix socket: the yardstick of a session's start, and what the gateways are put before."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from probe import get_status
from processes import run_child, wait_until

from curc_llm.engine.arguments import SERVER_MODULE, render_arguments
from curc_llm.engine.context import choose_context, read_context_limit
from curc_llm.engine.environment import EngineCaches, make_environment
from curc_llm.engine.machine import count_cores
from curc_llm.settings import load_settings
from curc_llm.spec import LaunchSpec, make_launch_spec

START_LIMIT_S = 300


def make_spec(folder: Path, model: str, python: str) -> LaunchSpec:
    """The spec of a session with one model on this machine's CPU, everything it keeps below `folder`."""
    settings = load_settings(environ={"HOME": str(folder), "CURC_LLM_OFFLINE": "true"})
    return make_launch_spec(settings, (model,), device="cpu", engine_python=python)


def make_engine_command(spec: LaunchSpec, engine_socket: Path) -> list[str]:
    """The command of a plain vLLM with the arguments that the session's engine gets."""
    engine = spec.engines[0]
    context = choose_context(engine.max_model_len, read_context_limit(Path(engine.model)))
    arguments = render_arguments(
        engine, socket=engine_socket, device="cpu", model_path=engine.model, max_model_len=context
    )
    return [spec.engine_python, "-m", SERVER_MODULE, *arguments]


def make_minimal_environment(folder: Path) -> dict[str, str]:
    """The least that vLLM needs on a machine without a GPU and without a network."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def make_session_environment(folder: Path, spec: LaunchSpec) -> dict[str, str]:
    """What a session's engine gets: above all, threads that aren't bound to cores that others need too."""
    caches = EngineCaches(spec.cache_dir, spec.hf_home)
    return make_environment(
        make_minimal_environment(folder), device="cpu", caches=caches, cores=count_cores(), runtime_dir=folder
    )


@contextlib.contextmanager
def start_engine(
    folder: Path, spec: LaunchSpec, environment: Mapping[str, str]
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Starts vLLM alone; yields where it will listen, and its process, at once."""
    engine_socket, log = folder / "engine.sock", folder / "engine.log"
    command = make_engine_command(spec, engine_socket)
    with run_child(command, log, env=environment) as child:
        yield f"unix:{engine_socket}", child


@contextlib.contextmanager
def run_engine(folder: Path, spec: LaunchSpec) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Runs vLLM with a session's arguments and environment; yields its socket and process when ready."""
    with start_engine(folder, spec, make_session_environment(folder, spec)) as (target, child):
        wait_until(lambda: get_status(target) == 200, child, folder / "engine.log", START_LIMIT_S)
        yield Path(target.removeprefix("unix:")), child
