from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from curc_llm.cli.capacity import render_start
from tests.cli.conftest import Run
from tests.testbed.bed import Bed
from tests.testbed.faults import frozen, lost


@pytest.fixture
def on_bed(free_bed: Bed, monkeypatch: pytest.MonkeyPatch) -> Bed:
    monkeypatch.setenv("SLURM_CONF", str(free_bed.ground.slurm_conf))
    return free_bed


@pytest.mark.parametrize(
    ("after_s", "text"),
    [(None, "unknown"), (-60, "now"), (20, "now"), (600, "in 10 min"), (3600 * 5 + 120, "in 5 h 2 min")],
)
def test_a_start_is_told_as_people_say_it(after_s: float | None, text: str) -> None:
    assert render_start(None if after_s is None else 1e9 + after_s, 1e9) == text


def test_a_start_after_days_has_a_date() -> None:
    at = time.mktime((2026, 11, 24, 14, 0, 0, 0, 0, -1))
    assert render_start(at, at - 3 * 86400) == "Tue 24 Nov 14:00"


def test_without_slurm_it_is_said_where_to_ask(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("capacity")
    assert result.exit_code == 1
    assert "isn't on this machine" in result.stderr


@pytest.mark.slurm
def test_each_kind_of_gpu_has_what_is_idle_and_when_a_launch_would_start(run: Run, on_bed: Bed) -> None:
    result = run("capacity")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    table = lines[: lines.index("")]
    assert len(table) == 13
    assert max(len(line) for line in table) <= 80
    l40 = next(line for line in table if " l40 " in line)
    assert l40.split() == ["al40", "l40", "6", "3", "6", "6", "now"]
    assert next(line for line in table if " mi100 " in line).split()[-1] == "no"
    assert "mi100: AMD Instinct MI100" in result.stdout


@pytest.mark.slurm
def test_the_json_has_fixed_keys_and_none_where_nothing_is_known(run: Run, on_bed: Bed) -> None:
    (row,) = json.loads(run("capacity", "--gpu", "h200", "--num-gpus", "4", "--json").stdout)
    assert (row["idle"], row["most_on_one_node"], row["total"], row["refused"]) == (8, 4, 8, "")
    assert abs(row["expected_start_at"] - time.time()) < 120
    (row,) = json.loads(run("capacity", "--gpu", "h200", "--num-gpus", "5", "--json").stdout)
    assert row["expected_start_at"] is None
    assert "5 were asked for" in row["refused"] or "5 x h200" in row["refused"]


@pytest.mark.slurm
def test_what_slurm_refuses_is_told_below(run: Run, on_bed: Bed) -> None:
    result = run("capacity", "--gpu", "l40", "--account", "nosuch")
    assert result.exit_code == 0
    assert "l40: Slurm doesn't know you under that account" in result.stdout


@pytest.mark.slurm
def test_when_all_gpus_are_held_a_launch_starts_later(run: Run, on_bed: Bed) -> None:
    """Two people's jobs of an hour hold all six."""
    for user in (on_bed.ground.user, on_bed.ground.neighbour):
        on_bed.run(
            "sbatch", "--partition=al40", "--qos=gpu-normal", "--nodes=1", "--ntasks=1", "--gres=gpu:l40:3",
            "--time=60", "--output=/dev/null", f"--chdir={on_bed.home(user)}", "--wrap=sleep 600", user=user,
        )  # fmt: skip
    end = time.monotonic() + 20
    while (row := json.loads(run("capacity", "--gpu", "l40", "--json").stdout)[0])["idle"]:
        assert time.monotonic() < end
        time.sleep(0.3)
    assert row["expected_start_at"] > time.time() + 1800


@pytest.mark.slurm
def test_a_lost_node_shows_in_what_is_open(run: Run, on_bed: Bed) -> None:
    with lost(on_bed, on_bed.ground.nodes[1]):
        (row,) = json.loads(run("capacity", "--gpu", "l40", "--json").stdout)
    assert (row["open"], row["total"]) == (3, 6)


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Slurm whose controller can't be reached, as scontrol 22.05 says it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    text = "slurm_load_node error: Unable to contact slurm controller (connect failure)"
    (folder / "scontrol").write_text(f"#!/bin/sh\necho '{text}' >&2\nexit 1\n")
    (folder / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_while_slurm_is_silent_all_is_unknown(run: Run, silent: None) -> None:
    result = run("capacity", "--gpu", "l40")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split() == ["al40", "l40", "?", "?", "?", "?", "unknown"]
    assert "Slurm is silent" in result.stderr
    (row,) = json.loads(run("capacity", "--gpu", "l40", "--json").stdout)
    assert (row["idle"], row["expected_start_at"], row["refused"]) == (None, None, "")


@pytest.mark.slurm
@pytest.mark.slow
def test_while_the_real_slurm_is_silent_all_is_unknown(run: Run, on_bed: Bed) -> None:
    with frozen(on_bed, "slurmctld"):
        result = run("capacity", "--gpu", "l40")
    assert result.stdout.splitlines()[1].split()[-1] == "unknown"
