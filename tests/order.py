"""Order: which tests one worker runs together, and which of these groups begin first.

All tests of a file stay together, so that its fixtures are made once and what it imports (transformers,
Gradio, pandas) is imported by one worker. Long groups begin first, so that at the end nobody waits for one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

# Folders whose tests on Slurm share a portal, too.
BEDS = {"e2e": "portal", "centre": "portal"}
# Seconds that a test of a kind takes on two busy cores, roughly: what comes first is decided by it.
SECONDS = {"engine": 20.0, "browser": 8.0, "slow": 4.0}
OTHERS_S = 0.1
# Folders whose tests in a browser share a server that takes seconds to start, and in how many groups they go.
SHARED = {"chat": 2, "notebook": 2}


def set_groups(items: list[pytest.Item]) -> None:
    """Gives each test its group, and sorts them."""
    shares = {folder: share_out(items, folder, count) for folder, count in SHARED.items()}
    groups = {item: find_group(item, shares) for item in items}
    total_s: Counter[str] = Counter()
    for item, group in groups.items():
        total_s[group] += estimate_s(item)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: -total_s[groups[item]])


def find_group(item: pytest.Item, shares: dict[str, dict[str, str]]) -> str:
    """The name of a test's group."""
    folder = item.path.parent.name
    if item.get_closest_marker("slurm"):
        return BEDS.get(folder, f"{folder}/{item.path.stem}")  # a worker's bed serves all that it runs
    if folder == "e2e":
        return folder  # one real session for all
    if item.get_closest_marker("engine"):
        return "engine"  # one after the other: a vLLM that starts takes two cores for half a minute
    own = f"{folder}/{item.path.stem}"
    return shares.get(folder, {}).get(own, own) if item.get_closest_marker("browser") else own


def share_out(items: Iterable[pytest.Item], folder: str, count: int) -> dict[str, str]:
    """File → group, so that the groups take about as long."""
    seconds: Counter[str] = Counter()
    for item in items:
        if item.path.parent.name == folder and item.get_closest_marker("browser"):
            seconds[f"{folder}/{item.path.stem}"] += estimate_s(item)
    full = dict.fromkeys((f"{folder}-{number}" for number in range(1, count + 1)), 0.0)
    found = {}
    for file, took_s in sorted(seconds.items(), key=lambda pair: (-pair[1], pair[0])):
        found[file] = min(full, key=lambda group: full[group])
        full[found[file]] += took_s
    return found


def estimate_s(item: pytest.Item) -> float:
    """About how long a test takes, in seconds."""
    return next((s for mark, s in SECONDS.items() if item.get_closest_marker(mark)), OTHERS_S)
