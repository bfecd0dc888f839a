"""The rows of a comparison, by scenario and server, and the figures that are drawn from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from method import Summary, difference, pair, ratio, summarise

Row = dict[str, Any]
Figure = Callable[[Row], float]
# A row counts as undisturbed when others used less than this of the machine's cores meanwhile.
QUIET_CORES = 0.6


class Table:
    """All rows of one part.

    Args:
        rows: what `compare` returned.
        baseline: the server whose row of the same repeat each ratio and difference is paired with.
    """

    def __init__(self, rows: list[Row], baseline: str) -> None:
        self.rows = rows
        self.baseline = baseline
        self.servers = list(dict.fromkeys(row["server"] for row in rows if row["repeat"] == 0))
        self.scenarios = list(dict.fromkeys(row["scenario"] for row in rows))

    def values(self, scenario: str, server: str, figure: Figure, *, quiet: bool = False) -> dict[int, float]:
        """A figure of one server in one scenario, by repeat; with `quiet` of undisturbed rows alone."""
        chosen = (row for row in self.rows if row["scenario"] == scenario and row["server"] == server)
        return {
            row["repeat"]: figure(row) for row in chosen if not quiet or row["others_cores"] < QUIET_CORES
        }

    def plain(self, scenario: str, server: str, figure: Figure) -> Summary | None:
        """A figure as it is."""
        quiet, every = (
            list(self.values(scenario, server, figure, quiet=only).values()) for only in (True, False)
        )
        return summarise(quiet, every)

    def ratio(self, scenario: str, server: str, figure: Figure, to: str = "") -> Summary | None:
        """A figure as a share of the baseline's, or of another server's."""
        return self._paired(scenario, server, to or self.baseline, figure, ratio)

    def added(self, scenario: str, server: str, figure: Figure) -> Summary | None:
        """What a server adds to the baseline's figure."""
        return self._paired(scenario, server, self.baseline, figure, difference)

    def _paired(
        self, scenario: str, server: str, other: str, figure: Figure, combine: Callable[[float, float], float]
    ) -> Summary | None:
        """Repeats in which both rows are undisturbed count; where there are none, all do, and it is said."""
        quiet, every = (
            pair(
                self.values(scenario, server, figure, quiet=only),
                self.values(scenario, other, figure, quiet=only),
                combine,
            )
            for only in (True, False)
        )
        return summarise(quiet, every)

    def failures(self, server: str) -> int:
        """Answers that weren't complete, over all scenarios."""
        return sum(row["failed"] for row in self.rows if row["server"] == server)


def events_per_s(row: Row) -> float:
    """Events (tokens, or JSON answers) of complete answers per second."""
    return float(row["events"] / row["elapsed_s"]) if row["elapsed_s"] else 0.0


def cpu_s_per_million(row: Row) -> float:
    """CPU seconds of the server's process tree per 10^6 events."""
    return float(row["cpu_s"] / row["events"] * 1e6) if row["events"] else 0.0


def memory_mib(row: Row) -> float:
    """PSS of the server's process tree after the run."""
    return float(row["memory_mib"])


def first_ms(share: str) -> Figure:
    """Milliseconds from the request to the first byte of the answer's body, at `p50` or `p99`."""
    return lambda row: float(row["first_ms"][share])


def delay_ms(share: str) -> Figure:
    """Milliseconds that an event is under way (fake engine), or between two events (real engine)."""
    return lambda row: float(row["delay_ms"][share])


def render(value: Summary | None, digits: int = 2) -> str:
    """A cell."""
    return value.render(digits) if value else "-"


def render_rows(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
