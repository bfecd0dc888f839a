"""300 rows through real vLLM; batch and engine are killed meanwhile, and nothing is lost or twice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batch.killing import Batch, draw_moments, read_answers, write_rows
from tests.e2e.conftest import Person, Running, open_session

pytestmark = [pytest.mark.engine, pytest.mark.slow]
ROWS = 300


@pytest.fixture
def running() -> Iterator[Running]:
    """A session of its own: one that others share gives up after a few deaths of its engine, as it should."""
    with tempfile.TemporaryDirectory(prefix="batch-") as home, open_session(Person(Path(home))) as running:
        yield running


def test_300_rows_survive_the_death_of_batch_and_engine(running: Running, tmp_path: Path) -> None:
    source, target = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    write_rows(source, [f"What is {i} + {i}?" for i in range(ROWS)], max_tokens=8, temperature=0)
    environment = running.person.environment
    batch = Batch(source, target, environment, "--concurrency", "16")
    for count, victim in draw_moments(os.getpid(), ROWS, ["batch", "engine"]):
        batch.wait_for_rows(count)
        if victim == "engine":
            running.find_process("VLLM::EngineCore").kill()
        else:
            batch.die()
            batch = Batch(source, target, environment, "--concurrency", "16")
    said, talk = batch.communicate(timeout=300)
    assert batch.returncode == 0, said + talk
    assert f"{ROWS} of {ROWS} rows answered" in said
    answers = read_answers(target)
    assert list(answers) == [f"id-{i}" for i in range(ROWS)]
    assert all(answers.values())
