"""Measures servers side by side: interleaved, repeated, and once more when others used the machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateways import Server
from method import rotate
from native import run_load
from our_gateway import OurSession
from processes import measure_cpu_s, measure_memory_mib
from quiet import DISTURBED_CORES, Bystanders, Patience
from scenarios import Scenario

Row = dict[str, Any]
MAX_TRIES = 3


@dataclass(frozen=True)
class Bench:
    """What measures.

    Args:
        program: the load generator.
        session: whose key the requests carry, and which model they name.
        patience: how long to wait for a quiet machine.
    """

    program: Path
    session: OurSession
    patience: Patience

    def measure(self, server: Server, scenario: Scenario) -> Row:
        """One run of one scenario against one server, with the CPU time and memory of the server's tree."""
        others, cpu_s = Bystanders(), measure_cpu_s(server.pid)
        row = run_load(self.program, server.target, self.session.key_file, scenario, self.session.model)
        row["cpu_s"] = round(measure_cpu_s(server.pid) - cpu_s, 3)
        row["memory_mib"] = round(measure_memory_mib(server.pid), 1)
        row["others_cores"] = round(others.cores(), 2)
        return {"server": server.name, "scenario": scenario.name, **row}

    def warm_up(self, server: Server, scenario: Scenario) -> None:
        """Fills pools and caches; raises RuntimeError when a server doesn't answer as it should."""
        row = self.measure(server, scenario)
        if row["failed"] or not row["completed"]:
            raise RuntimeError(
                f"{server.name} failed {row['failed']} of its first answers; nothing was measured"
            )

    def compare(self, servers: list[Server], scenarios: list[Scenario], repeats: int) -> list[Row]:
        """Runs every scenario on every server in turn, each repeat beginning with another server."""
        rows: list[Row] = []
        for repeat in range(repeats):
            for scenario in scenarios:
                rows.extend(
                    {"repeat": repeat, **self._measure_quietly(server, scenario)}
                    for server in rotate(servers, repeat)
                )
        return rows

    def _measure_quietly(self, server: Server, scenario: Scenario) -> Row:
        """Of a few tries the one in which others used the machine least."""
        tries: list[Row] = []
        while len(tries) < MAX_TRIES:
            self.patience.wait()
            tries.append(_show(self.measure(server, scenario)))
            if tries[-1]["others_cores"] < DISTURBED_CORES or self.patience.left_s <= 0:
                break
        return min(tries, key=lambda row: float(row["others_cores"]))


def _show(row: Row) -> Row:
    speed = row["events"] / row["elapsed_s"] if row["elapsed_s"] else 0
    times = "  ".join(
        f"{name} p50 {row[name]['p50']:.2f} p99 {row[name]['p99']:.2f}" for name in ("first_ms", "delay_ms")
    )
    cost = f"cpu {row['cpu_s']:.2f} s  {row['memory_mib']:.0f} MiB  failed {row['failed']}"
    who = f"{row['scenario']:14} {row['server']:16} {speed:9.0f}/s"
    print(f"{who}  {times}  {cost}  others {row['others_cores']:.2f}", file=sys.stderr, flush=True)
    return row
