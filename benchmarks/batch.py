"""How fast a batch goes beside `vllm bench serve` and beside what people write themselves; see README.md.

PYTHONPATH=src python benchmarks/batch.py --quick
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batch_report import write_results
from batch_runs import CLIENTS, Place, run_bench, run_client, run_ours
from machine import describe_machine, describe_run, list_versions
from method import rotate
from native import run_upstream
from our_gateway import make_session, run_our_gateway
from probe import get_status
from processes import end_on_terminate, find_free_port, run_child, wait_until
from quiet import Bystanders, Patience

from engine import (
    START_LIMIT_S,
    make_engine_command,
    make_session_environment,
    make_spec,
    run_engine,
)

HERE = Path(__file__).parent
PATIENCE_S = 300


@contextlib.contextmanager
def run_bare_engine(folder: Path, spec: Any) -> Iterator[int]:
    """VLLM as a person starts it, with the session's arguments, but on a port; yields the port."""
    folder.mkdir()
    port, log = find_free_port(), folder / "engine.log"
    command = make_engine_command(spec, folder / "engine.sock")
    place = command.index("--uds")
    command[place : place + 2] = ["--host", "127.0.0.1", "--port", str(port)]
    with run_child(command, log, env=make_session_environment(folder, spec)) as child:
        wait_until(lambda: get_status(f"tcp:{port}") == 200, child, log, START_LIMIT_S)
        yield port


def compare_on_vllm(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """All ways to ask the same rows, by turns."""
    spec = make_spec(folder, arguments.model, sys.executable)
    model = spec.engines[0].served_model_name
    session = make_session(folder, model)
    rows, patience = [], Patience(arguments.patience_s)
    with (
        run_engine(folder, spec) as (socket, _),
        run_bare_engine(folder / "bare", spec) as bare_port,
        run_our_gateway(session, socket) as (port, _),
    ):
        gateway = Place(f"http://127.0.0.1:{port}", model, session.key_file, arguments.model)
        bare = Place(f"http://127.0.0.1:{bare_port}", model, session.key_file, arguments.model)
        ways = {
            "vllm bench serve, bare vLLM": lambda load: run_bench(bare, load, folder),
            "curc-llm batch, session": lambda load: run_ours(gateway, load, folder),
            "vllm bench serve, session": lambda load: run_bench(gateway, load, folder),
            "AsyncOpenAI and a semaphore, session": lambda load: run_client("openai", gateway, load, folder),
            "plain loop, session": lambda load: run_client("loop", gateway, load, folder),
        }
        for place in (gateway, bare):
            run_client("httpx", place, {"rows": 40, "concurrency": 8, "tokens": 16}, folder)  # warms it up
        for repeat in range(arguments.repeats):
            for load in arguments.loads:
                for name in rotate(list(ways), repeat):
                    if name.startswith("plain") and load is not arguments.loads[0]:
                        continue  # it asks one row at a time, whatever the concurrency
                    patience.wait()
                    others = Bystanders()
                    found = ways[name](load)
                    row = {"way": name, "repeat": repeat, **load, **found, "others_cores": others.cores()}
                    rows.append(row)
                    print(json.dumps(row), file=sys.stderr)
    return rows


def compare_clients(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """What a request costs each client: CPU of its process, before our gateway and the fake engine in C."""
    rows = []
    session = make_session(folder / "clients", "fake")
    load = {"rows": arguments.client_rows, "concurrency": 64, "tokens": 8}
    with run_upstream(folder) as upstream, run_our_gateway(session, upstream.socket) as (port, _):
        place = Place(f"http://127.0.0.1:{port}", "fake", session.key_file, "")
        for repeat in range(arguments.repeats):
            for name in rotate(CLIENTS, repeat):
                others = Bystanders()
                found = run_client(name, place, load, folder)
                row = {"client": name, "repeat": repeat, **load, **found, "others_cores": others.cores()}
                rows.append(row)
                print(json.dumps(row), file=sys.stderr)
    return rows


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repeat, few rows")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--client-rows", type=int, default=5000)
    parser.add_argument("--patience-s", type=float, default=PATIENCE_S)
    parser.add_argument("--part", choices=["clients", "vllm"])
    parser.add_argument(
        "--model", default=str(HERE.parent / "src/curc_llm/data/demo_model"), help="folder of a model"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.repeats, arguments.rows, arguments.client_rows = 1, 120, 1000
    arguments.loads = [
        {"rows": arguments.rows, "concurrency": 16, "tokens": 64},
        {"rows": arguments.rows, "concurrency": 64, "tokens": 64},
        {"rows": arguments.rows * 2, "concurrency": 64, "tokens": 8},
    ]
    return arguments


def main() -> None:
    end_on_terminate()
    arguments = parse_arguments()
    results: dict[str, Any] = {
        "run": describe_run(),
        "machine": describe_machine(),
        "versions": list_versions(),
        "repeats": arguments.repeats,
    }
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name:
        folder = Path(name)
        parts = {"clients": compare_clients, "vllm": compare_on_vllm}
        results["rows"] = {
            part: measure(arguments, folder)
            for part, measure in parts.items()
            if arguments.part in {None, part}
        }
    results["run"]["load_average_after"] = round(os.getloadavg()[0], 2)
    results["run"]["seconds"] = round(time.process_time(), 1)
    print(write_results(arguments.results, results))


if __name__ == "__main__":
    main()
