"""One finding of `curc-llm doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """What was looked at, and how it is.

    Args:
        name: what was looked at, in a word or two.
        level: `ok`; `warn` for what will trouble some uses; `fail` for what keeps sessions from running.
        message: what was found.
        remedy: what to do; empty when there is nothing to do.
    """

    name: str
    level: Literal["ok", "warn", "fail"]
    message: str
    remedy: str = ""
