"""What every result says of itself: when, where, with what, and how quiet it was."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any


def render_about(results: dict[str, Any], rows: Iterable[dict[str, Any]]) -> str:
    """A few lines before the tables."""
    run, machine, versions = results["run"], results["machine"], results["versions"]
    when = f"{run['date']}, `{run['command']}`, repeats: {results['repeats']}, interleaved; medians (range)."
    shape = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}"
    load = f"load average {run['load_average_before']} before the run, {run['load_average_after']} after"
    with_what = ", ".join(f"{name} {version}" for name, version in versions.items())
    others = [row["others_cores"] for row in rows]
    quiet = (
        f"while measuring, others used {median(others):.2f} cores (median), at most {max(others):.2f}"
        if others
        else "what others used meanwhile wasn't measured"
    )
    earlier = f" Together with {len(results['earlier'])} earlier run(s)." if results.get("earlier") else ""
    return f"{when}  \n{shape}, Linux {machine['kernel']}; {load}; {quiet}.  \n{with_what}.{earlier}"
