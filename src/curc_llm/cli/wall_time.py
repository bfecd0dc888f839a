"""Wall time on the command line: hours as a number, or as Slurm writes time."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    Base = click.ParamType[float]
else:  # older click's can't be subscripted
    Base = click.ParamType

_UNITS_H = {"d": 24.0, "h": 1.0, "m": 1 / 60, "min": 1 / 60}
_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|min)")
# Of Slurm's forms (sbatch, --time) those that can't mean two things: D-HH, D-HH:MM, D-HH:MM:SS, HH:MM:SS.
_SLURM = re.compile(r"(?:(?P<days>\d+)-)?(?P<hours>\d+)(?::(?P<minutes>\d+))?(?::(?P<seconds>\d+))?")
ALLOWED = "Write hours, such as 4 or 1.5, or 4h, 90m, 04:00:00, 1-12 (a day and 12 hours)."


def read_hours(text: str) -> float | None:
    """Hours that a text means; None where it means none, or might mean two.

    A number is hours. `04:00` would be four minutes to Slurm and four hours to most people: it is neither.

    Example:
        >>> [read_hours(text) for text in ("1.5", "4h", "90m", "04:30:00", "1-12", "04:00")]
        [1.5, 4.0, 1.5, 4.5, 36.0, None]
    """
    text = text.strip().lower()
    if found := _WITH_UNIT.fullmatch(text):
        return float(found[1]) * _UNITS_H[found[2]]
    parts = _SLURM.fullmatch(text)
    if parts is not None and (parts["days"] or parts["seconds"]):
        days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
        if max(minutes, seconds) > 59 or (parts["days"] and hours > 23):
            return None
        return days * 24 + hours + minutes / 60 + seconds / 3600
    try:
        return float(text)
    except ValueError:
        return None


class WallTime(Base):
    """A wall time in hours, above zero."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The hours that were meant; a usage error with the forms that are allowed otherwise."""
        hours = read_hours(str(value))
        if hours is None or not 0 < hours < math.inf:
            self.fail(f"{str(value)!r} is no wall time. {ALLOWED}", param, ctx)
        return hours
