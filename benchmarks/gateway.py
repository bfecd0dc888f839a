"""Our gateway beside the bare socket, nginx, and the gateway that one writes first; see README.md.

PYTHONPATH=src python benchmarks/gateway.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from gateway_report import write_results
from gateways import NAIVE, NGINX, OURS, Server, run_gateways
from machine import describe_machine, describe_run, list_versions
from method import rotate
from native import build, run_load, run_upstream
from our_gateway import OurSession, make_session
from processes import measure_cpu_s, measure_memory_mib
from scenarios import ENGINE_WARM_UP, WARM_UP, Scenario, make_engine_scenarios, make_scenarios

from engine import make_spec, run_engine

RESULTS = Path(__file__).parent / "results"


def measure(program: Path, server: Server, session: OurSession, scenario: Scenario) -> dict[str, Any]:
    """One run of one scenario against one server, with the CPU time and memory of the server's tree."""
    cpu_s = measure_cpu_s(server.pid)
    row = run_load(program, server.target, session.key_file, scenario, session.model)
    row["cpu_s"] = round(measure_cpu_s(server.pid) - cpu_s, 3)
    row["memory_mib"] = round(measure_memory_mib(server.pid), 1)
    return {"server": server.name, "scenario": scenario.name, **row}


def warm_up(program: Path, server: Server, session: OurSession, scenario: Scenario) -> None:
    """Fills pools and caches; raises RuntimeError when a server doesn't answer as it should."""
    row = measure(program, server, session, scenario)
    if row["failed"] or not row["completed"]:
        raise RuntimeError(f"{server.name} failed {row['failed']} of its first answers; nothing was measured")


def compare(
    program: Path, servers: list[Server], session: OurSession, scenarios: list[Scenario], repeats: int
) -> list[dict[str, Any]]:
    """Runs every scenario on every server in turn, each repeat beginning with another server."""
    rows = []
    for repeat in range(repeats):
        for scenario in scenarios:
            for server in rotate(servers, repeat):
                row = {"repeat": repeat, **measure(program, server, session, scenario)}
                rows.append(row)
                _show(row)
    return rows


def _show(row: dict[str, Any]) -> None:
    speed = row["events"] / row["elapsed_s"] if row["elapsed_s"] else 0
    times = "  ".join(
        f"{name} p50 {row[name]['p50']:.2f} p99 {row[name]['p99']:.2f}" for name in ("first_ms", "delay_ms")
    )
    cost = f"cpu {row['cpu_s']:.2f} s  {row['memory_mib']:.0f} MiB  failed {row['failed']}"
    who = f"{row['repeat'] + 1} {row['scenario']:14} {row['server']:16} {speed:9.0f}/s"
    print(f"{who}  {times}  {cost}  load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)


def compare_before_fake(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All gateways before the fast fake engine."""
    session, program = make_session(folder, "m"), build("load", folder)
    with (
        run_upstream(folder) as fake,
        run_gateways(session, fake.socket, tuple(options.without), options.other_source) as gateways,
    ):
        direct = [
            Server("direct-tcp", f"tcp:{fake.port}", fake.pid),
            Server("direct-unix", f"unix:{fake.socket}", fake.pid),
        ]
        servers = [*direct, *gateways]
        for server in servers:
            warm_up(program, server, session, WARM_UP)
        return compare(program, servers, session, make_scenarios(options.quick), options.repeats)


def compare_before_engine(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All gateways before real vLLM."""
    spec = make_spec(folder, options.model, sys.executable)
    session, program = make_session(folder, spec.engines[0].served_model_name), build("load", folder)
    print("starting vLLM ...", file=sys.stderr)
    with (
        run_engine(folder, spec) as (engine_socket, engine),
        run_gateways(session, engine_socket, tuple(options.without), options.other_source) as gateways,
    ):
        servers = [Server("direct-unix", f"unix:{engine_socket}", engine.pid), *gateways]
        for server in servers:
            warm_up(program, server, session, ENGINE_WARM_UP)
        return compare(program, servers, session, make_engine_scenarios(), options.repeats)


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short repeat, no real engine: a minute")
    parser.add_argument("--repeats", type=int, help="repeats of each scenario (4; 1 with --quick)")
    parser.add_argument("--part", choices=("fake", "engine"), help="only one of the engines")
    parser.add_argument("--without", nargs="*", default=[], choices=(NGINX, OURS, NAIVE), help="leave out")
    parser.add_argument("--other-source", type=Path, help="also run the gateway of this folder's package")
    parser.add_argument("--model", default="demo", help="model for vLLM, as `curc-llm serve` takes it")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for gateway.json and .md")
    options = parser.parse_args(arguments)
    options.repeats = options.repeats or (1 if options.quick else 4)
    return options


def main() -> None:
    """Measures, then writes the results."""
    options = parse_options(sys.argv[1:])
    about = {"run": describe_run(), "machine": describe_machine(), "versions": list_versions()}
    parts = [options.part] if options.part else ["fake"] if options.quick else ["fake", "engine"]
    rows = {}
    for part, run in (("fake", compare_before_fake), ("engine", compare_before_engine)):
        if part in parts:
            with tempfile.TemporaryDirectory(prefix="curc-bench-") as folder:
                rows[part] = run(Path(folder), options)
    about["run"]["load_average_after"] = round(os.getloadavg()[0], 2)
    print(write_results(options.results, {**about, "repeats": options.repeats, "rows": rows}))


if __name__ == "__main__":
    main()
