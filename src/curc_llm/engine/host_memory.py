"""The memory that this job may use, and whether the system has ended processes for want of it (cgroups)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
# cgroup v1 says "no limit" with a number of this size.
NO_LIMIT = 1 << 60


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
    folders = _folders(proc, root)
    limits = [limit for folder in folders if (limit := _limit(folder)) is not None]
    kills = max((_oom_kills(folder) for folder in folders), default=0)
    return HostMemory(min(limits) / GIB if limits else None, kills)


def _folders(proc: Path, root: Path) -> list[Path]:
    """The cgroup's own folder and those above it, version 2 or the memory controller of version 1."""
    try:
        lines = [line.split(":", 2) for line in proc.read_text().splitlines()]
    except OSError:
        return []
    for _, controllers, path in (line for line in lines if len(line) == 3):
        base = root / "memory" if "memory" in controllers.split(",") else root
        if not controllers or base != root:
            own = base / path.strip("/")
            return [own, *(parent for parent in own.parents if parent.is_relative_to(base))]
    return []


def _limit(folder: Path) -> int | None:
    text = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")
    return int(text) if text.isdigit() and int(text) < NO_LIMIT else None


def _oom_kills(folder: Path) -> int:
    text = _read(folder / "memory.events") or _read(folder / "memory.oom_control")
    counts = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
    return int(counts.get("oom_kill", "0"))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
