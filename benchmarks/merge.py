"""Adds a run's repeats to the published ones: a busy machine is seldom quiet for a whole run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def merge_results(path: Path, results: dict[str, Any]) -> dict[str, Any]:
    """The results with the rows of an earlier run before them.

    Args:
        path: the earlier run's JSON; nothing is added when it is missing.
        results: the run that just ended.
    """
    if not path.exists():
        return results
    old = json.loads(path.read_text())
    rows = {
        part: _append(old["rows"].get(part, []), results["rows"].get(part, []))
        for part in {**old["rows"], **results["rows"]}
    }
    about = {**old["run"], "commit": old["versions"]["commit"]}
    earlier = [*old.get("earlier", []), about]
    return {**results, "rows": rows, "repeats": _count(rows), "earlier": earlier}


def _append(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first = max((row["repeat"] for row in old), default=-1) + 1
    return [*old, *({**row, "repeat": row["repeat"] + first} for row in new)]


def _count(rows: dict[str, list[dict[str, Any]]]) -> int:
    return max(len({row["repeat"] for row in part}) for part in rows.values())
