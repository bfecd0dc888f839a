"""`python -P -m curc_llm.job.rank PLAN`: one node's part of an engine over several; srun runs it on each.

It stands guard over what it runs there: when that ends, or when the step is told to end, nothing of it stays
on the node. The last thing it writes is how it ended, so that the first node to fail can be told from those
that only followed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from curc_llm.engine.arguments import render_command
from curc_llm.engine.environment import EngineCaches, make_environment
from curc_llm.engine.launcher import USES_RAY
from curc_llm.engine.machine import count_cores, find_nvcc, read_gpu_type
from curc_llm.engine.network import find_node_network, make_network_environment
from curc_llm.engine.rank_log import EXIT_TROUBLE, RankEnd
from curc_llm.engine.ray_node import choose_temp_dir, make_ray_environment, render_ray_node
from curc_llm.errors import CurcLlmError, EngineError
from curc_llm.job.guard import Guard
from curc_llm.job.rank_plan import RankPlan, read_rank_plan
from curc_llm.job.sweep import RUN_VARIABLE, mark_folder
from curc_llm.session.paths import make_runtime_dir

EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs this node's part to its end; never 0, for the other nodes must end too."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m curc_llm.job.rank PLAN\n")
        return EXIT_USAGE
    os.umask(0o077)
    place = int(os.environ.get("SLURM_NODEID", "0"))
    try:
        plan = read_rank_plan(Path(arguments[0]))
        runtime_dir = plan.runtime_dir if place == 0 else _make_folder(plan)
    except CurcLlmError as error:
        return _fail(place, error)
    try:
        return _run(plan, place, runtime_dir)
    except CurcLlmError as error:
        return _fail(place, error)
    except OSError as error:
        what = error.filename or plan.engine_python
        return _fail(place, EngineError(f"{what} can't be used on this node: {error.strerror}."))
    finally:
        if place > 0:
            shutil.rmtree(runtime_dir, ignore_errors=True)


def _make_folder(plan: RankPlan) -> Path:
    """A folder for sockets on this node; the sweep removes it where this process can't."""
    folder = None
    try:
        folder = make_runtime_dir()
        mark_folder(folder, plan.run_id)
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        message = f"No folder for sockets can be made on this node: {error.strerror or error}."
        raise EngineError(
            message, "Make room there, or set TMPDIR to a folder that can be written."
        ) from error
    return folder


def _run(plan: RankPlan, place: int, runtime_dir: Path) -> int:
    found = find_node_network(plan.network)
    environment = make_rank_environment(plan, os.environ, runtime_dir)
    environment |= make_network_environment(plan.network, found)
    command = render_command(plan.engine_python, plan.arguments[place])
    if plan.uses_ray:
        temp_dir = choose_temp_dir(runtime_dir)
        environment = make_ray_environment(plan.ray_token, environment, temp_dir)
        command = render_ray_node(
            plan.engine_python,
            place=place,
            num_nodes=plan.num_nodes,
            head_address=plan.head_address,
            head_port=plan.head_port,
            address=found.address,
            gpus=plan.gpus_per_node,
            temp_dir=temp_dir,
            command=command if plan.arguments[place] else (),
        )
    os.environ.clear()  # the guard's child inherits it, and nothing else
    os.environ.update(environment)
    guard = Guard(command, None, patience_s=plan.patience_s)
    status = guard.run()
    _say_end(RankEnd(place, socket.gethostname(), status, guard.was_told, time.time()))
    return status if status > 0 else 1


def make_rank_environment(plan: RankPlan, base: Mapping[str, str], runtime_dir: Path) -> dict[str, str]:
    """What vLLM gets on this node, but for the network's part.

    Args:
        plan: what all nodes are told.
        base: the step's environment; Slurm says there which GPUs this node has.
        runtime_dir: this node's folder for sockets.
    """
    gpu_type = asyncio.run(read_gpu_type(plan.device))
    environment = make_environment(
        {"VLLM_CPU_KVCACHE_SPACE": str(plan.cpu_kv_cache_gib)} | dict(base),
        device=plan.device,
        caches=EngineCaches(plan.cache_dir, plan.hf_home, plan.engine_version, gpu_type),
        runtime_dir=runtime_dir,
        cores=count_cores(),
        has_nvcc=find_nvcc(base) is not None,
        has_lora=plan.has_lora,
    )
    # Workers of several nodes are processes of their own.
    environment.pop("VLLM_ENABLE_V1_MULTIPROCESSING", None)
    return environment | {RUN_VARIABLE: plan.run_id, USES_RAY: "1" if plan.uses_ray else "0"}


def _fail(place: int, error: CurcLlmError) -> int:
    sys.stderr.write(f"Error: {error.message} {error.remedy}\n")
    _say_end(RankEnd(place, socket.gethostname(), EXIT_TROUBLE, False, time.time()))
    return EXIT_TROUBLE


def _say_end(end: RankEnd) -> None:
    sys.stderr.write(f"{end.render()}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
