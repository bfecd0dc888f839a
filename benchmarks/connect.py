"""How much later the first token is there for who begins with `curc_llm.connect()`; see README.md.

PYTHONPATH=src python benchmarks/connect.py --quick
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from connect_kernel import PAUSE_S, Times, run_kernel, run_script
from connect_report import ENGINE, GATEWAY, NOTEBOOK_ONE, NOTEBOOK_TWO, SCENARIO, SCRIPT, write_results
from machine import describe_machine, describe_run, list_versions
from method import rotate
from probe import wait_for_first_token
from processes import end_on_terminate
from quiet import Bystanders, Patience

from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import read_record

HERE = Path(__file__).parent
PATIENCE_S = 120.0
START_LIMIT_S = 300.0
# One takes 20 ms, too short to tell whether others used the machine meanwhile.
NUM_QUESTIONS = 20
COMMAND = [sys.executable, "-m", "curc_llm.cli.main"]
# Where it is set, Python compiles every module anew in each process; pip's installations come compiled.
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


@contextlib.contextmanager
def run_demo(folder: Path) -> Iterator[SessionPaths]:
    """A session as `curc-llm demo --detach` starts it; ended afterwards."""
    environment = {**os.environ, "CURC_LLM_STATE_DIR": str(folder), "CURC_LLM_OFFLINE": "1"}
    start = [*COMMAND, "demo", "--model", "demo", "--detach", "--json", "--idle-stop-min", "0"]
    done = subprocess.run(
        start, env=environment, check=True, capture_output=True, text=True, timeout=START_LIMIT_S
    )
    name = json.loads(done.stdout)["session_id"]
    try:
        yield SessionPaths(folder / "sessions" / name)
    finally:
        subprocess.run([*COMMAND, "stop", name], env=environment, check=True, capture_output=True)


def find_engine_socket(record: SessionRecord) -> str:
    """Where the session's own engine listens, by its command line."""
    for child in psutil.Process(record.pid).children(recursive=True):
        words = child.cmdline()
        if "--uds" in words:
            return f"unix:{words[words.index('--uds') + 1]}"
    raise RuntimeError("The session has no engine.")


def time_http(target: str, model: str, key: str) -> Times:
    """A question over a socket, with nothing else, by this process, which is warm; the median of many."""
    times = []
    for _ in range(NUM_QUESTIONS):
        began = time.monotonic()
        wait_for_first_token(target, model, key)
        times.append(time.monotonic() - began)
    return {"total_s": median(times)}


def compare(folder: Path, repeats: int, patience_s: float) -> list[dict[str, Any]]:
    """All ways by turns, each in a fresh process or kernel."""
    with run_demo(folder) as paths:
        record = read_record(paths.record)
        assert record is not None
        model, key = record.engines[0].served_model_name, paths.api_key.read_text().strip()
        ways = {
            ENGINE: lambda: time_http(find_engine_socket(record), model, key),
            GATEWAY: lambda: time_http(f"tcp:{record.port}", model, key),
            SCRIPT: lambda: run_script(folder),
            NOTEBOOK_ONE: lambda: run_kernel(folder, is_one_cell=True),
            NOTEBOOK_TWO: lambda: run_kernel(folder, is_one_cell=False),
        }
        rows, patience = [], Patience(patience_s)
        for way in ways:  # once each, not counted: a cold disk is no matter of ours
            ways[way]()
        for repeat in range(repeats):
            for way in rotate(list(ways), repeat):
                patience.wait()
                others = Bystanders()
                times = ways[way]()
                row = {"repeat": repeat, "server": way, "scenario": SCENARIO}
                figures = {name: round(value, 4) for name, value in times.items()}
                rows.append({**row, **figures, "others_cores": round(others.cores(), 3)})
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three repeats, and no waiting for quiet")
    parser.add_argument("--repeats", type=int, help="of each way (10; 3 with --quick)")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the results")
    options = parser.parse_args(arguments)
    options.repeats = options.repeats or (3 if options.quick else 10)
    return options


def main() -> None:
    """Measures, then writes the results."""
    end_on_terminate()
    os.environ.pop(NO_BYTECODE, None)
    options = parse_options(sys.argv[1:])
    about = {"run": describe_run(), "machine": describe_machine(), "versions": list_versions()}
    with tempfile.TemporaryDirectory(prefix="curc-bench-", ignore_cleanup_errors=True) as folder:
        rows = compare(Path(folder), options.repeats, 0 if options.quick else PATIENCE_S)
    about["run"]["load_average_after"] = round(os.getloadavg()[0], 2)
    results = {**about, "repeats": options.repeats, "pause_s": PAUSE_S, "rows": rows}
    print(write_results(options.results, results))


if __name__ == "__main__":
    main()
