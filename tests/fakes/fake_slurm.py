"""Slurm's commands as small scripts that say what a test tells them, and note how they were called."""

from __future__ import annotations

from pathlib import Path

SCRIPT = """#!/bin/sh
name=${0##*/}
cd %s || exit 9
echo "$name $*" >> calls
[ "$name" = sbatch ] && cat > script
cat "$name.out" 2>/dev/null
cat "$name.err" >&2 2>/dev/null
exit "$(cat "$name.rc" 2>/dev/null || echo 0)"
"""
COMMANDS = ("sbatch", "squeue", "sacct", "scancel", "scontrol")


class FakeSlurm:
    """The commands in a folder of their own, to be put in front of PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in COMMANDS:
            (folder / name).write_text(SCRIPT % folder)
            (folder / name).chmod(0o755)
        self.takes("77")

    def says(self, command: str, output: str = "", *, error: str = "", status: int = 0) -> None:
        """What a command prints from now on, and how it exits."""
        (self.folder / f"{command}.out").write_text(output)
        (self.folder / f"{command}.err").write_text(error)
        (self.folder / f"{command}.rc").write_text(str(status))

    def takes(self, job_id: str) -> None:
        """sbatch takes jobs, under this id."""
        self.says("sbatch", f"{job_id}\n")

    def refuses(self, error: str) -> None:
        """sbatch refuses jobs."""
        self.says("sbatch", error=f"sbatch: error: {error}\n", status=1)

    def queue(
        self, job_id: str, state: str, reason: str = "None", *, start: str = "N/A", nodes: str = ""
    ) -> None:
        """squeue knows one job, sacct none."""
        self.says("squeue", f"{job_id}|{state}|{start}|N/A|aa100|gpu-normal|{nodes or '(null)'}|{reason}\n")
        self.says("sacct")

    def past(self, job_id: str, state: str, *, exit_code: str = "0:0", end: str = "1795264751") -> None:
        """The job has left the queue, sacct knows how."""
        self.says("squeue")
        self.says("sacct", f"{job_id}|{state}|1795264000|{end}|aa100|gpu-normal|c1|{exit_code}\n")

    def is_silent(self) -> None:
        """Nothing answers."""
        for command in ("squeue", "sacct", "sbatch", "scancel"):
            self.says(command, error="slurm_load_jobs error: Unable to contact slurm controller\n", status=1)

    @property
    def calls(self) -> list[str]:
        """How the commands were called."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def called(self, command: str) -> list[str]:
        """How one of them was called."""
        return [call for call in self.calls if call.split()[0] == command]

    @property
    def script(self) -> str:
        """What sbatch was given last."""
        return (self.folder / "script").read_text()
