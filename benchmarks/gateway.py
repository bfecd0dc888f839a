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

from compare import Bench
from gateway_report import write_results
from gateways import NAIVE, NGINX, OURS, Server, run_gateways
from machine import describe_machine, describe_run, list_versions
from merge import merge_results
from native import build, run_upstream
from our_gateway import make_session
from processes import end_on_terminate
from quiet import Patience
from scenarios import ENGINE_WARM_UP, WARM_UP, make_engine_scenarios, make_scenarios

from engine import make_spec, run_engine

RESULTS = Path(__file__).parent / "results"


def compare_before_fake(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All gateways before the fast fake engine."""
    session = make_session(folder, "m")
    bench = Bench(build("load", folder), session, Patience(options.patience_s))
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
            bench.warm_up(server, WARM_UP)
        return bench.compare(servers, make_scenarios(options.quick), options.repeats)


def compare_before_engine(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All gateways before real vLLM."""
    spec = make_spec(folder, options.model, sys.executable)
    session = make_session(folder, spec.engines[0].served_model_name)
    bench = Bench(build("load", folder), session, Patience(options.patience_s))
    print("starting vLLM ...", file=sys.stderr)
    with (
        run_engine(folder, spec) as (engine_socket, engine),
        run_gateways(session, engine_socket, tuple(options.without), options.other_source) as gateways,
    ):
        servers = [Server("direct-unix", f"unix:{engine_socket}", engine.pid), *gateways]
        for server in servers:
            bench.warm_up(server, ENGINE_WARM_UP)
        return bench.compare(servers, make_engine_scenarios(), options.repeats)


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short repeat, no real engine: a minute")
    parser.add_argument("--repeats", type=int, help="repeats of each scenario (4; 1 with --quick)")
    parser.add_argument(
        "--patience-s", type=float, help="wait for a quiet machine so long per part (300; quick 0)"
    )
    parser.add_argument("--add", action="store_true", help="add to the repeats in the results folder")
    parser.add_argument("--part", choices=("fake", "engine"), help="only one of the engines")
    parser.add_argument("--without", nargs="*", default=[], choices=(NGINX, OURS, NAIVE), help="leave out")
    parser.add_argument("--other-source", type=Path, help="also run the gateway of this folder's package")
    parser.add_argument("--model", default="demo", help="model for vLLM, as `curc-llm serve` takes it")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for gateway.json and .md")
    options = parser.parse_args(arguments)
    options.repeats = options.repeats or (1 if options.quick else 4)
    if options.patience_s is None:
        options.patience_s = 0 if options.quick else 300
    return options


def main() -> None:
    """Measures, then writes the results."""
    end_on_terminate()
    options = parse_options(sys.argv[1:])
    about = {"run": describe_run(), "machine": describe_machine(), "versions": list_versions()}
    parts = [options.part] if options.part else ["fake"] if options.quick else ["fake", "engine"]
    rows = {}
    for part, run in (("fake", compare_before_fake), ("engine", compare_before_engine)):
        if part in parts:
            with tempfile.TemporaryDirectory(prefix="curc-bench-") as folder:
                rows[part] = run(Path(folder), options)
    about["run"]["load_average_after"] = round(os.getloadavg()[0], 2)
    results = {**about, "repeats": options.repeats, "rows": rows}
    if options.add:
        results = merge_results(options.results / "gateway.json", results)
    print(write_results(options.results, results))


if __name__ == "__main__":
    main()
