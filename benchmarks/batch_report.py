"""The results of the batch's comparison as JSON and as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from method import Summary, pair, ratio, summarise
from report import render_about
from table import QUIET_CORES, render, render_rows

OURS, BARE = "curc-llm batch, session", "vllm bench serve, bare vLLM"
WANTED = 0.95
Row = dict[str, Any]


def write_results(folder: Path, results: dict[str, Any]) -> str:
    """Writes batch.json and batch.md; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = render_results(results)
    (folder / "batch.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "batch.md").write_text(text)
    return text


def render_results(results: dict[str, Any]) -> str:
    """The Markdown: the target first, then the tables."""
    rows = results["rows"]
    every = [row for part in rows.values() for row in part]
    parts = ["# A batch beside `vllm bench serve` and beside what people write", render_about(results, every)]
    if rows.get("vllm"):
        parts += ["## Real vLLM: rows per second", _render_vllm(rows["vllm"])]
    if rows.get("clients"):
        parts += ["## What a request costs the client (fake engine in C)", _render_clients(rows["clients"])]
    return "\n\n".join(parts) + "\n"


def _render_vllm(rows: list[Row]) -> str:
    loads = list(dict.fromkeys((r["concurrency"], r["tokens"], r["rows"]) for r in rows))
    ways = list(dict.fromkeys(r["way"] for r in rows))
    head = ["way"]
    for concurrency, tokens, count in loads:
        head += [f"{count} rows of {tokens} tokens, {concurrency} at once", "of bench on bare vLLM"]
    lines = []
    for way in ways:
        line = [f"**{way}**" if way == OURS else way]
        for load in loads:
            chosen = [r for r in rows if (r["concurrency"], r["tokens"], r["rows"]) == load]
            line += [render(_figure(chosen, way), 1), render(_ratio(chosen, way, BARE))]
        lines.append(line)
    target = [_ratio([r for r in rows if _load(r) == load], OURS, BARE) for load in loads]
    met = all(value is not None and value.median >= WANTED for value in target)
    shown = ", ".join(render(value) for value in target)
    verdict = (
        f"Wanted: at least {WANTED} of `vllm bench serve`. Measured: {shown}: {'met' if met else 'missed'}."
    )
    return f"{verdict}\n\n{render_rows(head, lines)}"


def _render_clients(rows: list[Row]) -> str:
    names = {
        "openai": "openai.AsyncOpenAI",
        "httpx": "httpx.AsyncClient",
        "wire": "our small client alone",
        "batch": "curc-llm batch, with survey, checks, journal and order",
    }
    lines = []
    for key, name in names.items():
        chosen = [r for r in rows if r["client"] == key]
        cpu = _summary(chosen, lambda r: r["cpu_s"] / r["rows"] * 1e6)
        rate = _summary(chosen, lambda r: r["rows"] / r["elapsed_s"])
        lines.append([name, render(cpu, 0), render(rate, 0)])
    return render_rows(["client", "CPU of the client, µs per row", "rows per second"], lines)


def _load(row: Row) -> tuple[int, int, int]:
    return row["concurrency"], row["tokens"], row["rows"]


def rows_per_s(row: Row) -> float:
    """Answered rows per second, from the first to the last."""
    return float(row["rows"] / row["elapsed_s"])


def _is_quiet(row: Row) -> bool:
    return bool(row["others_cores"] < QUIET_CORES)


def _summary(rows: list[Row], figure: Any) -> Summary | None:
    return summarise([figure(r) for r in rows if _is_quiet(r)], [figure(r) for r in rows])


def _figure(rows: list[Row], way: str) -> Summary | None:
    return _summary([r for r in rows if r["way"] == way], rows_per_s)


def _ratio(rows: list[Row], way: str, baseline: str) -> Summary | None:
    found = []
    for only_quiet in (True, False):
        values = [
            {
                r["repeat"]: rows_per_s(r)
                for r in rows
                if r["way"] == name and (_is_quiet(r) or not only_quiet)
            }
            for name in (way, baseline)
        ]
        found.append(pair(values[0], values[1], ratio))
    return summarise(*found)
