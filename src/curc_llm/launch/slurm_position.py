"""How many jobs are before one in its partition's queue."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.errors import SlurmError
from curc_llm.slurm.command import Slurm


@dataclass(frozen=True)
class Position:
    """A waiting job's place.

    Args:
        place: 1 for the job that is next in line.
        waiting: jobs that wait in the partition, this one included.
    """

    place: int
    waiting: int


def ask_position(slurm: Slurm, job_id: str, partition: str) -> Position | None:
    """The place of a waiting job among those of its partition; None where Slurm doesn't tell.

    Centres may hide other people's jobs; then there is no place to be told.

    Args:
        slurm: Slurm's commands.
        job_id: a waiting job.
        partition: where it waits.
    """
    options = ["--noheader", "--states=PENDING", f"--partition={partition}", "--format=%Q %i"]
    try:
        return parse_position(slurm.query("squeue", *options), job_id)
    except SlurmError:
        return None


def parse_position(text: str, job_id: str) -> Position | None:
    """The place of a job in squeue's lines of priority and id: the higher priority first, then the older job.

    Example:
        >>> parse_position("10 7\\n20 8\\n", "7")
        Position(place=2, waiting=2)
    """  # noqa: D301
    rows = [line.split() for line in text.splitlines()]
    # Of arrays (12_[1-4]) the number before the underscore is the age.
    known = [(-int(q), int(i.split("_")[0]), i) for q, i in (r for r in rows if len(r) == 2) if q.isdigit()]
    places = {name: place for place, (_, _, name) in enumerate(sorted(known), 1)}
    return Position(places[job_id], len(places)) if job_id in places else None
