"""The results of the benchmark of routing as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateways import OURS
from method import Summary, pair, ratio, summarise
from report import render_about
from table import QUIET_CORES, Table, cpu_s_per_million
from targets import Target, render_targets
from vllm_router import NAME, ROUND_ROBIN

Row = dict[str, Any]
UNLOADED, BARE, OWN_PRIORITIES = (
    "curc-llm, unloaded",
    "vLLM alone, no priorities",
    "vLLM alone, its priorities",
)


def write_results(folder: Path, results: dict[str, Any]) -> str:
    """Writes routing.json and routing.md; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = render_results(results)
    (folder / "routing.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "routing.md").write_text(text)
    return text


def render_results(results: dict[str, Any]) -> str:
    """The Markdown: targets first, then the tables."""
    rows = results["rows"]
    cpu, hits, people = (rows.get(part, []) for part in ("cpu", "hits", "priorities"))
    about = render_about(results, [*cpu, *people])
    parts = [
        "# Routing and priorities",
        about,
        "## Targets",
        render_targets(_measure_targets(cpu, hits, people)),
    ]
    if cpu:
        parts += ["## CPU before three fast fake engines", *_render_cpu(Table(cpu, NAME))]
    if hits:
        parts += ["## Prefix cache, chats of many people on three engines", *_render_hits(hits)]
    if people:
        parts += ["## First token beside batch work, one real vLLM of 32 slots", *_render_people(people)]
    return "\n\n".join(parts) + "\n"


def _values(rows: list[Row], server: str, figure: Callable[[Row], float], *, quiet: bool) -> dict[int, float]:
    """By repeat; with `quiet` of undisturbed rows alone. Counts of tokens can't be disturbed."""
    own = (row for row in rows if row["server"] == server)
    return {
        row["repeat"]: figure(row) for row in own if not quiet or row.get("others_cores", 0) < QUIET_CORES
    }


def _ratio(rows: list[Row], server: str, to: str, figure: Callable[[Row], float]) -> Summary | None:
    quiet, every = (
        pair(_values(rows, server, figure, quiet=only), _values(rows, to, figure, quiet=only), ratio)
        for only in (True, False)
    )
    return summarise(quiet, every)


def _plain(rows: list[Row], server: str, figure: Callable[[Row], float]) -> Summary | None:
    quiet, every = (list(_values(rows, server, figure, quiet=only).values()) for only in (True, False))
    return summarise(quiet, every)


def _hit_rate(row: Row) -> float:
    return ratio(row["hits"], row["queries"])


def _p95(row: Row) -> float:
    return float(row["first_ms"]["p95"])


def _measure_targets(
    cpu: list[Row], hits: list[Row], people: list[Row]
) -> list[tuple[Target, Summary | None]]:
    table = Table(cpu, NAME)
    found = [
        (
            Target(f"CPU per token at 100 x {speed}/s: times vllm-router", 1.3, is_floor=False),
            table.ratio(f"paced-100x{speed}", OURS, cpu_s_per_million) if cpu else None,
        )
        for speed in (50, 200)
    ]
    found.append(
        (
            Target("prefix-cache hit rate: times round-robin", 1.0, is_floor=True),
            _ratio(hits, OURS, ROUND_ROBIN, _hit_rate),
        )
    )
    found.append(
        (
            Target(
                "first token p95 beside batch work: vLLM without priorities, times ours", 10, is_floor=True
            ),
            _ratio(people, BARE, OURS, _p95),
        )
    )
    return found


def _render_table(heads: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _show(summary: Summary | None, digits: int = 2) -> str:
    return "-" if summary is None else summary.render(digits)


def _render_cpu(table: Table) -> list[str]:
    rows = [
        [
            server,
            *(_show(table.plain(s, server, cpu_s_per_million), 1) for s in ("paced-100x50", "paced-100x200")),
            _show(table.plain("json-100", server, lambda row: cpu_s_per_million(row) / 1000), 3),
            str(table.failures(server)),
        ]
        for server in table.servers
    ]
    heads = ["server", "CPU s per 10^6 tokens, 100 x 50/s", "100 x 200/s", "CPU ms per JSON answer", "failed"]
    note = (
        "curc-llm checks a key and writes its access log; vllm-router asks for no key, its log is on."
        " Engines of curc-llm are on unix sockets, vllm-router's on TCP, as each is used."
        " Its `cache_aware` first asks an engine for each prompt's tokens."
    )
    return [_render_table(heads, rows), note]


def _render_hits(hits: list[Row]) -> list[str]:
    servers = list(dict.fromkeys(row["server"] for row in hits))
    rows = [
        [
            server,
            _show(_plain(hits, server, _hit_rate), 3),
            _show(_ratio(hits, server, ROUND_ROBIN, _hit_rate)),
            ", ".join(str(n) for n in next(r["shares"] for r in hits if r["server"] == server)),
            str(sum(row["failed"] for row in hits if row["server"] == server)),
        ]
        for server in servers
    ]
    heads = [
        "server",
        "tokens found in a cache, of all",
        "times round-robin",
        "requests by engine (1st repeat)",
    ]
    return [_render_table([*heads, "failed"], rows)]


def _render_people(people: list[Row]) -> list[str]:
    servers = list(dict.fromkeys(row["server"] for row in people))
    rows = [
        [
            server,
            _show(_plain(people, server, lambda row: row["first_ms"]["p50"]), 0),
            _show(_plain(people, server, _p95), 0),
            _show(_ratio(people, server, UNLOADED, _p95), 1),
            _show(_plain(people, server, lambda row: row["batch_tokens_per_s"]), 0),
        ]
        for server in servers
    ]
    heads = ["server", "first token p50, ms", "p95, ms", "p95, times unloaded", "batch tokens/s"]
    note = (
        "64 batch requests of 128 tokens (not streamed) all the time, and a short question every 250 ms."
        " Load generator, gateway and engine share the machine's cores."
    )
    return [_render_table(heads, rows), note]
