"""The memory that this job may use, and whether the system has ended processes for want of it (cgroups)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from curc_llm.sites.host_memory import GIB, list_cgroups, read_limit, read_text


@dataclass(frozen=True)
class HostMemory:
    """What the cgroup of this process tells.

    Args:
        limit_gib: memory that the job may use in GiB; None for no limit, or where it can't be read.
        oom_kills: how many processes the system has ended because that was used up.
    """

    limit_gib: float | None = None
    oom_kills: int = 0


def read_host_memory(
    proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> HostMemory:
    """Reads the memory limit of this process's cgroup and of all above it (Slurm sets it on the job's).

    Args:
        proc: the file that names this process's cgroups.
        root: where the cgroup file system is mounted.
    """
    folders = list_cgroups(proc, root)
    limits = [limit for folder in folders if (limit := read_limit(folder)) is not None]
    kills = max((_oom_kills(folder) for folder in folders), default=0)
    return HostMemory(min(limits) / GIB if limits else None, kills)


def _oom_kills(folder: Path) -> int:
    text = read_text(folder / "memory.events") or read_text(folder / "memory.oom_control")
    counts = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
    return int(counts.get("oom_kill", "0"))
