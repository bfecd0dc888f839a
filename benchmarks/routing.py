"""Routing beside vllm-router and a round-robin, and priorities on a real vLLM; see README.md.

PYTHONPATH=src python benchmarks/routing.py --router .venv-router/bin/vllm-router
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare import Bench
from gateways import OURS, Server
from machine import describe_machine, describe_run, list_versions
from native import build, run_upstream
from our_gateway import OurSession, make_session, run_our_gateway
from probe import connect
from processes import end_on_terminate, run_child, wait_until
from quiet import Patience
from routing_priorities import SLOTS, Place, measure
from routing_report import write_results
from routing_trace import Trace, play
from scenarios import WARM_UP, make_scenarios
from vllm_router import NAME, ROUND_ROBIN, run_vllm_router

from curc_llm.spec import LaunchSpec
from engine import make_spec, run_engine

HERE = Path(__file__).parent
RESULTS = HERE / "results"
REPLICAS = 3
CPU_SCENARIOS = {"paced-100x50", "paced-100x200", "json-100"}
# Each engine's prefix cache holds some more than a third of the trace: nobody can keep everything everywhere.
CACHE_BLOCKS = 8000


@dataclass(frozen=True)
class CachingEngine:
    """A fake engine with a prefix cache."""

    socket: Path
    port: int


def compare_cpu(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """CPU time per token and per request, before three fast fake engines."""
    session = make_session(folder, "m")
    bench = Bench(build("load", folder), session, Patience(options.patience_s))
    scenarios = [s for s in make_scenarios(options.quick) if s.name in CPU_SCENARIOS]
    with contextlib.ExitStack() as stack:
        engines = []
        for number in range(REPLICAS):
            own = folder / f"engine-{number}"
            own.mkdir()
            engines.append(stack.enter_context(run_upstream(own)))
        port, pid = stack.enter_context(run_our_gateway(session, [engine.socket for engine in engines]))
        servers = [Server(OURS, f"tcp:{port}", pid)]
        for policy, name in _list_policies(options.router):
            ports = [engine.port for engine in engines]
            servers.append(stack.enter_context(run_vllm_router(options.router, folder, ports, policy, name)))
        for server in servers:
            bench.warm_up(server, WARM_UP)
        return bench.compare(servers, scenarios, options.repeats)


def _list_policies(router: Path | None) -> list[tuple[str, str]]:
    return [] if router is None else [("cache_aware", NAME), ("round_robin", ROUND_ROBIN)]


@contextlib.contextmanager
def run_caching_engines(folder: Path, count: int) -> Iterator[list[CachingEngine]]:
    """Fake engines with empty prefix caches."""
    with contextlib.ExitStack() as stack:
        engines = []
        for number in range(count):
            log, socket = folder / f"cache-{number}.log", folder / f"cache-{number}.sock"
            command = [sys.executable, str(HERE / "routing_engine.py"), str(socket), str(CACHE_BLOCKS)]
            child = stack.enter_context(run_child(command, log))
            wait_until(lambda log=log: log.read_text().startswith("ready "), child, log, 20)
            engines.append(CachingEngine(socket, int(log.read_text().split()[1])))
        yield engines


def compare_hits(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The share of prompt tokens that lay in a prefix cache, on the same chats."""
    trace = Trace(chats=40, turns=4) if options.quick else Trace()
    rows = []
    for repeat in range(options.repeats):
        for name in [OURS, *(name for _, name in _list_policies(options.router))]:
            own = Path(tempfile.mkdtemp(prefix="hits-", dir=folder))
            session = make_session(own, "m")
            key = session.key_file.read_text().strip()
            with (
                run_caching_engines(own, REPLICAS) as engines,
                _run_router(name, session, engines, options) as port,
            ):
                failed = asyncio.run(play(trace, port, key, "m"))
                counts = [_read_counts(engine.port) for engine in engines]
            row = {what: sum(count[what] for count in counts) for what in ("queries", "hits", "requests")}
            shares = [count["requests"] for count in counts]
            rows.append({"repeat": repeat, "server": name, "failed": failed, "shares": shares, **row})
            print(json.dumps(rows[-1]), file=sys.stderr)
    return rows


@contextlib.contextmanager
def _run_router(
    name: str, session: OurSession, engines: list[CachingEngine], options: argparse.Namespace
) -> Iterator[int]:
    if name == OURS:
        with run_our_gateway(session, [engine.socket for engine in engines]) as (port, _):
            yield port
        return
    policy = next(policy for policy, known in _list_policies(options.router) if known == name)
    ports = [engine.port for engine in engines]
    with run_vllm_router(options.router, session.folder, ports, policy, name) as server:
        yield int(server.target.removeprefix("tcp:"))


def _read_counts(port: int) -> dict[str, int]:
    with connect(f"tcp:{port}") as connection:
        connection.sendall(b"GET /counts HTTP/1.1\r\nhost: x\r\n\r\n")
        return dict(json.loads(connection.recv(4096).split(b"\r\n\r\n", 1)[1]))


def compare_priorities(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """First tokens of people beside batch work, on one real vLLM."""
    spec = _with_slots(make_spec(folder, options.model, sys.executable))
    model = spec.engines[0].served_model_name
    session = make_session(folder, model)
    key = session.key_file.read_text().strip()
    print("starting vLLM ...", file=sys.stderr)
    with (
        run_engine(folder, spec) as (engine_socket, _),
        run_our_gateway(session, engine_socket, max_num_seqs=SLOTS) as (port, _),
    ):
        own = {"batch_headers": "x-curc-llm-priority: batch\r\n"}
        places = {
            "curc-llm, unloaded": (Place(port, key, model, {}, {}), False),
            "vLLM alone, no priorities": (Place(engine_socket, "", model, {}, {}), True),
            "vLLM alone, its priorities": (Place(engine_socket, "", model, {}, {"priority": 10}), True),
            "curc-llm": (Place(port, key, model, {}, {}, **own), True),
        }
        rows, patience = [], Patience(options.patience_s)
        for repeat in range(options.repeats):
            for name, (place, is_loaded) in places.items():
                patience.wait()
                row = asyncio.run(measure(place, options.seconds, is_loaded=is_loaded))
                rows.append({"repeat": repeat, "server": name, **row})
                print(json.dumps(rows[-1]), file=sys.stderr)
        return rows


def _with_slots(spec: LaunchSpec) -> LaunchSpec:
    engine = spec.engines[0].model_copy(update={"max_num_seqs": SLOTS})
    return spec.model_copy(update={"engines": (engine,)})


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short repeat, no real engine: two minutes")
    parser.add_argument("--repeats", type=int, help="repeats of each part (3; 1 with --quick)")
    parser.add_argument(
        "--patience-s", type=float, help="wait for a quiet machine so long per part (120; quick 0)"
    )
    parser.add_argument("--part", choices=("cpu", "hits", "priorities"), help="only one of the parts")
    parser.add_argument("--router", type=Path, help="vllm-router's command; found in PATH when not given")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement of priorities")
    parser.add_argument("--model", default="demo", help="model for vLLM, as `curc-llm serve` takes it")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for routing.json and .md")
    options = parser.parse_args(arguments)
    found = options.router or shutil.which("vllm-router")
    options.router = Path(found) if found else None
    options.repeats = options.repeats or (1 if options.quick else 3)
    if options.patience_s is None:
        options.patience_s = 0 if options.quick else 120
    return options


def main() -> None:
    """Measures, then writes the results."""
    end_on_terminate()
    options = parse_options(sys.argv[1:])
    if options.router is None:
        print("vllm-router isn't there (pip install vllm-router): measured without it", file=sys.stderr)
    about = {"run": describe_run(), "machine": describe_machine(), "versions": list_versions()}
    parts = [options.part] if options.part else ["cpu", "hits"] + ([] if options.quick else ["priorities"])
    path = options.results / "routing.json"
    rows = json.loads(path.read_text())["rows"] if options.part and path.exists() else {}
    for part, run in (("cpu", compare_cpu), ("hits", compare_hits), ("priorities", compare_priorities)):
        if part in parts:
            with tempfile.TemporaryDirectory(prefix="curc-bench-") as folder:
                rows[part] = run(Path(folder), options)
    about["run"]["load_average_after"] = round(os.getloadavg()[0], 2)
    print(write_results(options.results, {**about, "repeats": options.repeats, "rows": rows}))


if __name__ == "__main__":
    main()
