"""How much later a session is ready than bare vLLM, and how soon its gateway answers; see README.md.

PYTHONPATH=src python benchmarks/startup.py --quick
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import describe_machine, describe_run, list_versions
from method import rotate
from probe import wait_for_first_token, wait_for_status
from processes import end_on_terminate, find_free_port, run_child
from quiet import Bystanders, Patience
from startup_report import BARE, SESSION, write_results

from curc_llm.session.files import write_private
from curc_llm.session.paths import SessionPaths
from curc_llm.spec import LaunchSpec
from engine import START_LIMIT_S, make_minimal_environment, make_spec, start_engine

Measure = Callable[[Path, LaunchSpec], dict[str, float]]
HERE = Path(__file__).parent
STOP_PATIENCE_S = 60
PATIENCE_S = 300
# The imports that take long, once, so that the first start doesn't pay for a cold disk.
WARM_UP = "import vllm.entrypoints.openai.api_server, gradio"


def measure_bare(folder: Path, spec: LaunchSpec) -> dict[str, float]:
    """Starts bare vLLM and times it."""
    started, others = time.monotonic(), Bystanders()
    with start_engine(folder, spec, make_minimal_environment(folder)) as (target, _):
        wait_for_status(target, 200, START_LIMIT_S, pause_s=0.05)
        ready_s = time.monotonic() - started
        wait_for_first_token(target, spec.engines[0].served_model_name, key="none")
        first_token_s = time.monotonic() - started
        return {"ready_s": ready_s, "first_token_s": first_token_s, "others_cores": others.cores()}


def measure_session(folder: Path, spec: LaunchSpec) -> dict[str, float]:
    """Starts a whole session and times it through its gateway."""
    port = find_free_port()
    spec = spec.model_copy(update={"port_min": port, "port_max": port})
    paths = SessionPaths(spec.session_dir)
    paths.make()
    write_private(paths.spec, spec.model_dump_json())
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(HERE.parent / "src")}
    started, others = time.monotonic(), Bystanders()
    command = [sys.executable, "-m", "curc_llm.job", str(paths.spec)]
    with run_child(command, folder / "job.log", env=environment, patience_s=STOP_PATIENCE_S):
        target = f"tcp:{port}"
        wait_for_status(target, None, START_LIMIT_S, pause_s=0.01)
        gateway_s = time.monotonic() - started
        wait_for_status(target, 200, START_LIMIT_S, pause_s=0.05)
        ready_s = time.monotonic() - started
        key = paths.api_key.read_text().strip()
        wait_for_first_token(target, spec.engines[0].served_model_name, key)
        first_token_s = time.monotonic() - started
        times = {"gateway_s": gateway_s, "ready_s": ready_s, "first_token_s": first_token_s}
        return {**times, "others_cores": others.cores()}


def compare(model: str, repeats: int, patience_s: float) -> list[dict[str, Any]]:
    """Starts both by turns, each in a fresh folder."""
    kinds: dict[str, Callable[[Path, LaunchSpec], dict[str, float]]] = {
        BARE: measure_bare,
        SESSION: measure_session,
    }
    rows, patience = [], Patience(patience_s)
    for repeat in range(repeats):
        for kind in rotate(list(kinds), repeat):
            patience.wait()
            with tempfile.TemporaryDirectory(prefix="curc-bench-", ignore_cleanup_errors=True) as folder:
                spec = make_spec(Path(folder), model, sys.executable)
                times = kinds[kind](Path(folder), spec)
            row = {"repeat": repeat, "server": kind, "scenario": "start"}
            rows.append({**row, **{name: round(value, 3) for name, value in times.items()}})
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one start of each kind: two minutes")
    parser.add_argument("--repeats", type=int, help="starts of each kind (3; 1 with --quick)")
    parser.add_argument("--model", default="demo", help="model, as `curc-llm serve` takes it")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the results")
    options = parser.parse_args(arguments)
    options.repeats = options.repeats or (1 if options.quick else 3)
    return options


def main() -> None:
    """Measures, then writes the results."""
    end_on_terminate()
    options = parse_options(sys.argv[1:])
    subprocess.run([sys.executable, "-c", WARM_UP], check=True, capture_output=True, timeout=300)
    about = {"run": describe_run(), "machine": describe_machine(), "versions": list_versions()}
    rows = compare(options.model, options.repeats, 0 if options.quick else PATIENCE_S)
    about["run"]["load_average_after"] = round(os.getloadavg()[0], 2)
    print(write_results(options.results, {**about, "repeats": options.repeats, "rows": rows}))


if __name__ == "__main__":
    main()
