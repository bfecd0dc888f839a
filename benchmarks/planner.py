"""How long planning takes: every model on every GPU type and count of each shipped site; see README.md.

PYTHONPATH=src python benchmarks/planner.py
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from platform import python_version

from machine import describe_machine, describe_run

from curc_llm.plan.facts import Facts, load_facts
from curc_llm.plan.planner import make_plan, make_request
from curc_llm.plan.table import make_table
from curc_llm.settings import load_settings
from curc_llm.sites.load import site_names

COUNTS = (1, 2, 3, 4, 8, 16)
RESULTS = Path(__file__).parent / "results" / "planner.md"
HEAD = "| site | plans | all of them, CPU s | one, ms: median | p99 | longest | launch table, CPU s |"


def measure(facts: Facts) -> str:
    """One site's row."""
    times_ms = []
    for model in facts.models:
        for offer in facts.offers:
            for num_gpus in COUNTS:
                request = {"model": model, "gpu_type": offer.gpu_name, "num_gpus": num_gpus}
                began = time.process_time()
                make_plan(make_request(request), facts)
                times_ms.append(1000 * (time.process_time() - began))
    began = time.process_time()
    make_table(facts)
    table_s = time.process_time() - began
    p99 = statistics.quantiles(times_ms, n=100)[98]
    figures = [
        facts.site.name,
        f"{len(times_ms):,}",
        f"{sum(times_ms) / 1000:.1f}",
        f"{statistics.median(times_ms):.2f}",
        f"{p99:.1f}",
        f"{max(times_ms):.0f}",
        f"{table_s:.1f}",
    ]
    return f"| {' | '.join(figures)} |"


def main() -> None:
    run, machine = describe_run(), describe_machine()
    shape = f"{machine['cpu']}, {machine['cores']} cores, Python {python_version()}"
    settings = load_settings(None, {"HOME": os.environ["HOME"]})
    sites = [name for name in site_names() if name != "local"]
    lines = [
        "# Time to plan",
        "",
        f"{run['date']}, `{run['command']}`; {shape}.",
        "CPU seconds of one process, so that what others do on the machine counts little.",
        "",
        HEAD,
        "|---" * 7 + "|",
        *(measure(load_facts(settings, name)) for name in sites),
    ]
    RESULTS.write_text("\n".join(lines) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
