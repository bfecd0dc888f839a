"""5,000 rows on the demo model; the batch, the engine and the whole job are killed once each, at random.

SOAK_SEED repeats a run; SOAK_ROWS makes it shorter.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.batch.killing import Batch, draw_moments, read_answers, run_batch, write_rows
from tests.e2e.conftest import Person, Running

ROWS = int(os.environ.get("SOAK_ROWS", "5000"))
SEED = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 10**6)))
FLAGS = ("--concurrency", "32")


@pytest.fixture
def home() -> Iterator[Person]:
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        person = Person(Path(folder))
        yield person
        for session in json.loads(person.run("ls", "--json").stdout or "[]"):
            person.run("stop", session["session_id"], check=False, timeout=120)


def start_session(person: Person) -> Running:
    return Running(person, json.loads(person.run("demo", "--detach", "--json", timeout=300).stdout))


def end_by_force(running: Running) -> None:
    """Kills the job as a lost node does, with all that belongs to it."""
    processes = running.processes()
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=30)


def test_5000_rows_killed_three_times_equal_an_unbroken_run(home: Person, tmp_path: Path) -> None:
    print(f"SOAK_SEED={SEED}")
    source, target = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    prompts = [f"What is {i} + {i}?" for i in range(ROWS)]
    write_rows(source, prompts, max_tokens=8, temperature=0, seed=1)
    running = start_session(home)
    batch = Batch(source, target, home.environment, *FLAGS)
    for count, victim in draw_moments(SEED, ROWS, ["batch", "engine", "job"]):
        batch.wait_for_rows(count, timeout_s=1800)
        print(f"{victim} killed after {count} rows")
        if victim == "engine":
            running.find_process("VLLM::EngineCore").kill()
            continue
        if victim == "batch":
            batch.die()
        else:
            end_by_force(running)
            assert "Run the same again" in batch.communicate(timeout=120)[1]
            running = start_session(home)
        batch = Batch(source, target, home.environment, *FLAGS)
    said, talk = batch.communicate(timeout=3600)
    assert batch.returncode == 0, said + talk
    unbroken = tmp_path / "unbroken.jsonl"
    run_batch(source, unbroken, home.environment, *FLAGS)
    broken, whole = read_answers(target), read_answers(unbroken)
    assert list(broken) == list(whole) == [f"id-{i}" for i in range(ROWS)]
    different = [name for name in whole if broken[name] != whole[name]]
    assert different == []
