"""The memory that a process may use is the machine's, or less where a control group says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.sites.host_memory import GIB, read_host_memory_gib


def make_machine(tmp_path: Path, cgroup: str, limits: dict[str, str]) -> tuple[Path, Path]:
    """A machine of 64 GiB with the given limits of control groups."""
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal:  {64 * GIB // 1024} kB\nMemFree: 1 kB\n")
    (proc / "self" / "cgroup").write_text(cgroup)
    for place, text in limits.items():
        (cgroups / place).parent.mkdir(parents=True, exist_ok=True)
        (cgroups / place).write_text(text)
    return proc, cgroups


@pytest.mark.parametrize(
    ("cgroup", "limits", "gib"),
    [
        ("0::/job/step\n", {"job/memory.max": str(8 * GIB), "job/step/memory.max": "max\n"}, 8),
        ("0::/job\n", {"job/memory.max": "max\n"}, 64),
        ("0::/job\n", {"job/memory.max": str(100 * GIB)}, 64),
        ("4:memory:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": str(4 * GIB)}, 4),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": str(2**63 - 4096)}, 64),
        ("nonsense\n", {}, 64),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, cgroup: str, limits: dict[str, str], gib: float) -> None:
    assert read_host_memory_gib(*make_machine(tmp_path, cgroup, limits)) == gib


def test_this_machine_has_some_memory() -> None:
    assert read_host_memory_gib() > 0.1
