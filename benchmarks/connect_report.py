"""The results of `connect.py` as JSON and as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from report import render_about
from table import Figure, Table, render, render_rows
from targets import Target, render_targets

ENGINE = "engine, its own socket"
GATEWAY = "gateway, plain HTTP"
SCRIPT = "script"
NOTEBOOK_ONE = "notebook, one cell"
NOTEBOOK_TWO = "notebook, two cells"
SCENARIO = "first token"
WAYS = (ENGINE, GATEWAY, SCRIPT, NOTEBOOK_ONE, NOTEBOOK_TWO)


def write_results(folder: Path, results: dict[str, Any]) -> str:
    """Writes connect.json and connect.md; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = render_results(results)
    (folder / "connect.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "connect.md").write_text(text)
    return text


def render_results(results: dict[str, Any]) -> str:
    """The Markdown."""
    table = Table(results["rows"], ENGINE)
    targets = [
        *(
            (
                Target(f"{way}: connect() to first token over the engine's own", 1.0, False, " s"),
                table.added(SCENARIO, way, seconds("total_s")),
            )
            for way in (SCRIPT, NOTEBOOK_ONE, NOTEBOOK_TWO)
        ),
        (
            Target("`import curc_llm` in a kernel", 0.3, False, " s"),
            table.plain(SCENARIO, NOTEBOOK_ONE, seconds("import_s")),
        ),
    ]
    head = ["", "first token, s", "over the engine's, s", "CPU of the client, s"]
    note = (
        f"*One cell* imports, connects and asks; *two cells* connect in one and ask in the next, "
        f"{results['pause_s']:g} s later, and the pause isn't counted. Each in a fresh process or kernel, "
        "whose start isn't counted. Sockets are asked by a process that is warm."
    )
    parts = [
        "# From `connect()` to the first token",
        render_about(results, table.rows),
        "## Targets",
        render_targets(targets),
        "## Figures",
        render_rows(head, [_row(table, way) for way in WAYS]),
        note,
    ]
    return "\n\n".join(parts) + "\n"


def seconds(name: str) -> Figure:
    """A time of one run."""
    return lambda row: float(row[name])


def cpu_s(row: dict[str, Any]) -> float:
    """What the client's process computed, in all its threads."""
    return sum(float(value) for name, value in row.items() if name.endswith("_cpu"))


def _row(table: Table, way: str) -> list[str]:
    cpu = table.plain(SCENARIO, way, cpu_s) if way not in {ENGINE, GATEWAY} else None
    added = table.added(SCENARIO, way, seconds("total_s")) if way != ENGINE else None
    return [way, render(table.plain(SCENARIO, way, seconds("total_s")), 3), render(added, 3), render(cpu)]
