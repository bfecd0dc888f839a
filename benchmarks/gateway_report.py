"""The results of the gateway's comparison as JSON and as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateways import NGINX, OURS
from method import Summary
from report import render_about
from table import (
    Table,
    cpu_s_per_million,
    delay_ms,
    events_per_s,
    first_ms,
    memory_mib,
    render,
    render_rows,
)
from targets import Target, render_targets

FIRST = {"1": "first-1", "10": "first-10", "100": "first-100"}
STEADY, BUSY = "paced-100x50", "paced-100x200"


def write_results(folder: Path, results: dict[str, Any]) -> str:
    """Writes gateway.json and gateway.md; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = render_results(results)
    (folder / "gateway.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "gateway.md").write_text(text)
    return text


def render_results(results: dict[str, Any]) -> str:
    """The Markdown: targets first, then the tables."""
    fake = Table(results["rows"].get("fake", []), "direct-tcp")
    engine = Table(results["rows"].get("engine", []), "direct-unix")
    parts = [
        "# Gateway beside the bare socket, nginx and Starlette + httpx",
        render_about(results, [*fake.rows, *engine.rows]),
        "## Targets",
        render_targets(measure_targets(fake, engine)),
    ]
    if fake.rows:
        parts += ["## Before the fake engine", *_render_fake(fake)]
    if engine.rows:
        parts += ["## Before real vLLM", *_render_engine(engine)]
    return "\n\n".join(parts) + "\n"


def measure_targets(fake: Table, engine: Table) -> list[tuple[Target, Summary | None]]:
    """Each target with our gateway's figure."""
    return [
        (
            Target("real vLLM, 10 streams: tokens/s of direct", 0.95, is_floor=True),
            engine.ratio("engine-10", OURS, events_per_s),
        ),
        (
            Target("real vLLM, 50 streams: tokens/s of direct", 0.85, is_floor=True),
            engine.ratio("engine-50", OURS, events_per_s),
        ),
        (
            Target("100 streams x 200/s: chunks/s of direct", 0.99, is_floor=True),
            fake.ratio(BUSY, OURS, events_per_s),
        ),
        (
            Target("CPU per chunk at 100 x 200/s: times nginx", 2, is_floor=False),
            fake.ratio(BUSY, OURS, cpu_s_per_million, to=NGINX),
        ),
        (
            Target("CPU per chunk at 100 x 50/s: times nginx", 2, is_floor=False),
            fake.ratio(STEADY, OURS, cpu_s_per_million, to=NGINX),
        ),
        (
            Target("added first byte, 100 streams, p50", 0.4, is_floor=False, unit=" ms"),
            fake.added(FIRST["100"], OURS, first_ms("p50")),
        ),
        (
            Target("added first byte, 100 streams, p99", 2, is_floor=False, unit=" ms"),
            fake.added(FIRST["100"], OURS, first_ms("p99")),
        ),
        (
            Target("memory (PSS), the most seen", 48, is_floor=False, unit=" MiB"),
            _most_memory(fake, engine),
        ),
    ]


def _most_memory(*tables: Table) -> Summary | None:
    seen = [memory_mib(row) for table in tables for row in table.rows if row["server"] == OURS]
    if not seen:
        return None
    most = max(seen)
    return Summary(most, most, most, counted=len(seen), measured=len(seen), of_all=most)


def _render_fake(table: Table) -> list[str]:
    return [
        "Throughput, as a share of direct TCP in the same repeat:",
        render_rows(
            ["server", *_throughputs(table)], [_throughput(table, server) for server in table.servers]
        ),
        "First byte and chunks, added to direct TCP in the same repeat, in ms:",
        render_rows(
            [
                "server",
                *(f"first byte p50, {n} streams" for n in FIRST),
                *(f"first byte p99, {n} streams" for n in FIRST),
                "chunk p50 / p99 at 100 x 50/s",
                "chunk p50 / p99 at 100 x 200/s",
            ],
            [_latency(table, server) for server in table.servers],
        ),
        "CPU seconds per 10^6 chunks, memory, and answers that were not complete:",
        render_rows(
            [
                "server",
                "CPU at 100 x 50/s",
                "CPU at 100 x 200/s",
                "CPU ms per JSON answer",
                "PSS in MiB",
                "failed",
            ],
            [_cost(table, server) for server in table.servers],
        ),
        "Direct TCP itself:",
        _render_baseline(table),
    ]


def _throughputs(table: Table) -> list[str]:
    return [name for name in table.scenarios if name.startswith(("flood", BUSY, "json"))]


def _throughput(table: Table, server: str) -> list[str]:
    return [server, *(render(table.ratio(name, server, events_per_s)) for name in _throughputs(table))]


def _latency(table: Table, server: str) -> list[str]:
    first = [
        render(table.added(scenario, server, first_ms(share)))
        for share in ("p50", "p99")
        for scenario in FIRST.values()
    ]
    chunk = [
        " / ".join(render(table.added(scenario, server, delay_ms(share))) for share in ("p50", "p99"))
        for scenario in (STEADY, BUSY)
    ]
    return [server, *first, *chunk]


def _cost(table: Table, server: str) -> list[str]:
    cpu = [render(table.plain(scenario, server, cpu_s_per_million), 1) for scenario in (STEADY, BUSY)]
    memory = max(memory_mib(row) for row in table.rows if row["server"] == server)
    request_ms = render(table.plain("json-100", server, lambda row: cpu_s_per_million(row) / 1000))
    return [server, *cpu, request_ms, f"{memory:.0f}", str(table.failures(server))]


def _render_baseline(table: Table) -> str:
    rows = [
        [
            name,
            render(table.plain(name, table.baseline, events_per_s), 0),
            render(table.plain(name, table.baseline, first_ms("p50"))),
            render(table.plain(name, table.baseline, first_ms("p99"))),
            render(table.plain(name, table.baseline, delay_ms("p50"))),
            render(table.plain(name, table.baseline, delay_ms("p99"))),
        ]
        for name in table.scenarios
    ]
    head = ["scenario", "per s", "first byte p50 ms", "first byte p99 ms", "chunk p50 ms", "chunk p99 ms"]
    return render_rows(head, rows)


def _render_engine(table: Table) -> list[str]:
    head = ["streams", "via", "tokens/s", "of direct", "first byte p50 / p99 ms", "gap p99 ms", "failed"]
    rows = [_engine_row(table, name, server) for name in table.scenarios for server in table.servers]
    return ["Direct is vLLM's own unix socket; 64 tokens an answer, ignore_eos:", render_rows(head, rows)]


def _engine_row(table: Table, name: str, server: str) -> list[str]:
    first = " / ".join(render(table.plain(name, server, first_ms(share)), 1) for share in ("p50", "p99"))
    return [
        name.removeprefix("engine-"),
        server,
        render(table.plain(name, server, events_per_s), 0),
        render(table.ratio(name, server, events_per_s)),
        first,
        render(table.plain(name, server, delay_ms("p99")), 1),
        str(sum(row["failed"] for row in table.rows if (row["scenario"], row["server"]) == (name, server))),
    ]
