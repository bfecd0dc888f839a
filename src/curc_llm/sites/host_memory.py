"""The memory that a process may use: the machine's, or less where a control group (cgroup) limits it."""

from __future__ import annotations

from pathlib import Path

GIB = 2**30
# cgroup v1 says "no limit" with a number of this size.
NO_LIMIT = 1 << 60


def read_host_memory_gib(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> float:
    """Memory that this process may use, in GiB.

    Args:
        proc: where the kernel tells of memory and processes.
        cgroups: where the cgroup file system is mounted.
    """
    line = next(line for line in read_text(proc / "meminfo").splitlines() if line.startswith("MemTotal:"))
    total = int(line.split()[1]) * 1024
    limits = [read_limit(folder) for folder in list_cgroups(proc / "self" / "cgroup", cgroups)]
    return min([total, *(limit for limit in limits if limit is not None)]) / GIB


def list_cgroups(proc: Path, root: Path) -> list[Path]:
    """The cgroup's own folder and those above it, version 2 or the memory controller of version 1.

    Args:
        proc: the file that names this process's cgroups.
        root: where the cgroup file system is mounted.
    """
    lines = [line.split(":", 2) for line in read_text(proc).splitlines()]
    for _, controllers, path in (line for line in lines if len(line) == 3):
        base = root / "memory" if "memory" in controllers.split(",") else root
        if not controllers or base != root:
            own = base / path.strip("/")
            return [own, *(parent for parent in own.parents if parent.is_relative_to(base))]
    return []


def read_limit(folder: Path) -> int | None:
    """The memory limit of a cgroup in bytes; None for no limit, or where it can't be read."""
    text = read_text(folder / "memory.max") or read_text(folder / "memory.limit_in_bytes")
    return int(text) if text.isdigit() and int(text) < NO_LIMIT else None


def read_text(path: Path) -> str:
    """A small file's text without the blanks around it; empty when it can't be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
