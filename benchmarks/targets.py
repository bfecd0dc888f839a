"""What the product promised (issue 1 of 6, Shows), beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from method import Summary


@dataclass(frozen=True)
class Target:
    """One promise.

    Args:
        name: what is measured.
        limit: the value that must be reached, or not be passed.
        is_floor: True when more is better.
        unit: written behind the values.
    """

    name: str
    limit: float
    is_floor: bool
    unit: str = ""

    def is_met(self, value: float) -> bool:
        """Whether a measured median keeps the promise."""
        return value >= self.limit if self.is_floor else value <= self.limit

    def render(self, value: Summary | None) -> str:
        """One line of the table of targets."""
        sign = "≥" if self.is_floor else "≤"
        wanted = f"{sign} {self.limit:g}{self.unit}"
        if value is None:
            return f"| {self.name} | {wanted} | not measured | | | |"
        verdict = "met" if self.is_met(value.median) else "**missed**"
        verdict += " (disturbed)" if value.is_disturbed else ""
        counted = f"{value.counted} of {value.measured} | {value.of_all:.2f}{self.unit}"
        return f"| {self.name} | {wanted} | {value.render()}{self.unit} | {verdict} | {counted} |"


HEAD = (
    "| target | wanted | measured: median (range) | | repeats that counted | median of all repeats |\n"
    "|---|---|---|---|---|---|"
)


def render_targets(measured: list[tuple[Target, Summary | None]]) -> str:
    """The table of targets."""
    return "\n".join([HEAD, *(target.render(value) for target, value in measured)])
