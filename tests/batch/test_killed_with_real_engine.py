"""300 rows through real vLLM; batch and engine are killed meanwhile, and nothing is lost or twice."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from tests.batch.killing import Batch, draw_moments, read_answers, write_rows
from tests.e2e.conftest import Running

pytestmark = [pytest.mark.engine, pytest.mark.slow]
ROWS = 300


def find_engine(running: Running) -> psutil.Process:
    """The core of the engine with the chat model; the session has another one for embeddings."""
    server = running.find_process("--served-model-name curc-guide")
    return next(p for p in server.children(recursive=True) if "VLLM::EngineCore" in p.cmdline()[0])


def test_300_rows_survive_the_death_of_batch_and_engine(real_session: Running, tmp_path: Path) -> None:
    """Others share the session: it gives an engine up only after three deaths."""
    running = real_session
    source, target = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    write_rows(source, [f"What is {i} + {i}?" for i in range(ROWS)], max_tokens=8, temperature=0)
    environment = running.person.environment
    batch = Batch(source, target, environment, "--concurrency", "16")
    for count, victim in draw_moments(os.getpid(), ROWS, ["batch", "engine"]):
        batch.wait_for_rows(count)
        if victim == "engine":
            find_engine(running).kill()
        else:
            batch.die()
            batch = Batch(source, target, environment, "--concurrency", "16")
    said, talk = batch.communicate(timeout=300)
    assert batch.returncode == 0, said + talk
    assert f"{ROWS} of {ROWS} rows answered" in said
    answers = read_answers(target)
    assert list(answers) == [f"id-{i}" for i in range(ROWS)]
    assert all(answers.values())
