"""Refusal: a text of Slurm's or of a job filter, and what to tell a person instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """A row of the tables in `refusals_filter` and `refusals_slurm`.

    Args:
        pattern: what Slurm's text is recognised by.
        message: the sentence; `{name}` stands for the pattern's group of that name.
        remedy: what to do next, likewise.
    """

    pattern: str
    message: str
    remedy: str
