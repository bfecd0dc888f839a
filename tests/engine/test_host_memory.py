from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.engine.host_memory import HostMemory, read_host_memory


def make(path: Path, **files: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return tmp_path / "self_cgroup"


def test_the_jobs_limit_counts_though_it_stands_above(tmp_path: Path, proc: Path) -> None:
    proc.write_text("0::/slurm/job_7/step_0\n")
    make(tmp_path / "slurm/job_7", memory__max="17179869184\n", memory__events="low 0\noom 3\noom_kill 2\n")
    make(tmp_path / "slurm/job_7/step_0", memory__max="max\n", memory__events="oom_kill 0\n")
    assert read_host_memory(proc, tmp_path) == HostMemory(16.0, 2)


def test_of_several_limits_the_smallest_counts(tmp_path: Path, proc: Path) -> None:
    proc.write_text("0::/a/b\n")
    make(tmp_path / "a", memory__max=str(32 << 30))
    make(tmp_path / "a/b", memory__max=str(4 << 30))
    assert read_host_memory(proc, tmp_path).limit_gib == 4


def test_the_older_cgroups_are_read_too(tmp_path: Path, proc: Path) -> None:
    proc.write_text("5:cpu,cpuacct:/x\n4:memory:/slurm/job_7\n1:name=systemd:/\n")
    make(
        tmp_path / "memory/slurm/job_7",
        memory__limit_in_bytes="8589934592",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    )
    make(tmp_path / "memory", memory__limit_in_bytes="9223372036854771712")
    assert read_host_memory(proc, tmp_path) == HostMemory(8.0, 1)


def test_without_a_limit_there_is_none(tmp_path: Path, proc: Path) -> None:
    proc.write_text("0::/\n")
    assert read_host_memory(proc, tmp_path) == HostMemory(None, 0)


def test_without_cgroups_nothing_fails(tmp_path: Path, proc: Path) -> None:
    assert read_host_memory(proc, tmp_path) == HostMemory()
    proc.write_text("nonsense\n1:cpu:/x\n")
    assert read_host_memory(proc, tmp_path) == HostMemory()


def test_this_machine_can_be_read() -> None:
    assert read_host_memory().oom_kills >= 0
