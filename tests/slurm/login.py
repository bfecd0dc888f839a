"""Slurm's commands as a user of the test bed has them, for a test that itself runs as root."""

from __future__ import annotations

from typing import Any

from curc_llm.slurm.command import Slurm
from tests.testbed.bed import Bed

COMMANDS = ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sacctmgr")


def log_in(bed: Bed, user: str | None = None, **options: Any) -> Slurm:
    """The commands as this user runs them; root's own when none is named."""
    environment = bed.user_environment(user)
    if user is not None:
        folder = bed.ground.folder / f"as-{user}"
        folder.mkdir(exist_ok=True)
        for name in COMMANDS:
            path = folder / name
            path.write_text(f'#!/bin/sh\nexec {" ".join(bed.as_user(user))} /usr/bin/{name} "$@"\n')
            path.chmod(0o755)
        environment = environment | {"PATH": f"{folder}:{environment['PATH']}"}
    return Slurm(environment, **options)
