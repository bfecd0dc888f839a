"""The results of the start's comparison as JSON and as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from report import render_about
from table import Figure, Table, render, render_rows
from targets import Target, render_targets

BARE, SESSION = "bare vLLM", "curc-llm session"
SCENARIO = "start"


def write_results(folder: Path, results: dict[str, Any]) -> str:
    """Writes startup.json and startup.md; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = render_results(results)
    (folder / "startup.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "startup.md").write_text(text)
    return text


def render_results(results: dict[str, Any]) -> str:
    """The Markdown."""
    table = Table(results["rows"], BARE)
    answers = table.plain(SCENARIO, SESSION, seconds("gateway_s"))
    ready = table.ratio(SCENARIO, SESSION, seconds("ready_s"))
    targets = [
        (Target("gateway answers after job start", 1.0, is_floor=False, unit=" s"), answers),
        (Target("ready: times bare vLLM", 1.1, is_floor=False), ready),
    ]
    head = ["", "gateway answers, s", "ready, s", "of bare", "first token, s", "of bare"]
    return (
        "\n\n".join(
            [
                "# Start of a session beside bare vLLM",
                render_about(results, table.rows),
                "## Targets",
                render_targets(targets),
                "## Figures",
                render_rows(head, [_row(table, BARE), _row(table, SESSION)]),
            ]
        )
        + "\n"
    )


def seconds(name: str) -> Figure:
    """A time of one start."""
    return lambda row: float(row[name])


def _row(table: Table, server: str) -> list[str]:
    gateway = table.plain(SCENARIO, server, seconds("gateway_s")) if server == SESSION else None
    return [
        server,
        render(gateway),
        render(table.plain(SCENARIO, server, seconds("ready_s")), 1),
        render(table.ratio(SCENARIO, server, seconds("ready_s"))),
        render(table.plain(SCENARIO, server, seconds("first_token_s")), 1),
        render(table.ratio(SCENARIO, server, seconds("first_token_s"))),
    ]
