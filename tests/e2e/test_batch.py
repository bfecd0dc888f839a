"""300 rows through a real session; batch and engine are killed meanwhile, and nothing is lost or twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.batch.killing import draw_moments, kill, read_answers, start_batch, wait_for_rows, write_rows
from tests.e2e.conftest import Running

pytestmark = pytest.mark.engine
ROWS = 300


def test_300_rows_survive_the_death_of_batch_and_engine(running: Running, tmp_path: Path) -> None:
    source, target = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    write_rows(source, [f"What is {i} + {i}?" for i in range(ROWS)], max_tokens=8, temperature=0)
    environment = running.person.environment
    batch = start_batch(source, target, environment, "--concurrency", "16")
    for count, victim in draw_moments(os.getpid(), ROWS, ["batch", "engine"]):
        wait_for_rows(target, count, batch)
        if victim == "engine":
            running.find_process("VLLM::EngineCore").kill()
        else:
            kill(batch)
            batch = start_batch(source, target, environment, "--concurrency", "16")
    said, talk = batch.communicate(timeout=300)
    assert batch.returncode == 0, said + talk
    assert f"{ROWS} of {ROWS} rows answered" in said
    answers = read_answers(target)
    assert list(answers) == [f"id-{i}" for i in range(ROWS)]
    assert all(answers.values())
