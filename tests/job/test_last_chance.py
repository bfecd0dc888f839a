"""A model that failed for good is started again when its owner says so; a session waits for that a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curc_llm.session.record import SessionRecord
from curc_llm.session.store import tail_jsonl
from tests.job.conftest import Job

pytestmark = pytest.mark.slow
Start = Callable[..., Job]
KNOWN_CAUSE = "ValueError: Model architectures ['GPT9'] are not supported for now."


@pytest.fixture
def trouble(tmp_path: Path) -> Path:
    """While this file is there, engines fail when they start."""
    return tmp_path / "trouble.txt"


def start(start_job: Start, trouble: Path, *models: str, **fields: float) -> Job:
    """A session that is ready."""
    job = start_job(*models, environment={"FAKE_ENGINE_FAIL_FILE": str(trouble)}, **fields)
    job.wait_for(lambda r: r.port and all(e.ready_at for e in r.engines))
    return job


def fail_for_good(job: Job, trouble: Path, index: int = 0) -> SessionRecord:
    """Kills an engine, which then can't be started any more."""
    trouble.write_text(KNOWN_CAUSE)
    job.find("fake_engine.py", f"engine-{index}.sock").kill()
    record = job.wait_for(lambda r: r.engines[index].phase == "failed")
    trouble.unlink()
    return record


def test_the_last_model_is_started_again_and_the_session_goes_on(start_job: Start, trouble: Path) -> None:
    job = start(start_job, trouble)
    fail_for_good(job, trouble)
    record = job.wait_for(lambda r: r.gives_up_at)
    assert 290 < record.gives_up_at - time.time() <= 300
    assert record.ended_at is None
    warning = record.warnings[-1]
    assert warning.startswith("No model is left: the session ends at ")
    assert warning.endswith(f"curc-llm restart {record.session_id}")
    status, answer = job.chat()
    assert (status, answer["error"]["code"]) == (503, "engine_failed")

    assert job.ask("/restart", model="one")[0] == 202
    record = job.wait_for(lambda r: r.status == "ready" and r.engines[0].phase == "ready")
    assert (record.gives_up_at, record.warnings, record.engines[0].restarts) == (None, (), 2)
    assert job.chat()[0] == 200
    assert any(line["event"] == "restart" for line in tail_jsonl(job.paths.audit_log, 50))


def test_after_it_the_engine_gets_as_many_tries_as_at_first(start_job: Start, trouble: Path) -> None:
    job = start(start_job, trouble)
    fail_for_good(job, trouble)
    trouble.write_text("something odd happened")  # no known cause: it is tried again
    job.ask("/restart", model="one")
    record = job.wait_for(lambda r: r.engines[0].restarts == 4 and r.engines[0].phase == "failed", 40)
    assert "something odd happened" in record.engines[0].trouble.message
    assert record.gives_up_at
    trouble.unlink()
    job.ask("/restart", model="one")
    job.wait_for(lambda r: r.engines[0].phase == "ready")


def test_a_second_click_does_nothing(start_job: Start, trouble: Path) -> None:
    job = start(start_job, trouble)
    fail_for_good(job, trouble)
    replies = [job.ask("/restart", model="one") for _ in range(5)]
    assert replies[0][0] == 202
    assert {status for status, _ in replies[1:]} <= {202, 409}
    record = job.wait_for(lambda r: r.engines[0].phase == "ready")
    assert record.engines[0].restarts == 2
    assert job.ask("/restart", model="one")[1]["error"]["code"] == "nothing_failed"


def test_one_model_of_two_is_started_again_while_the_other_answers(start_job: Start, trouble: Path) -> None:
    job = start(start_job, trouble, "one", "two")
    second = job.find("fake_engine.py", "engine-1.sock").pid
    record = fail_for_good(job, trouble)
    assert record.gives_up_at is None
    assert job.chat("two")[0] == 200
    assert job.ask("/restart", model="one")[1] == {"status": "restarting", "models": ["one"]}
    job.wait_for(lambda r: r.engines[0].phase == "ready")
    assert job.chat("one")[0] == 200
    assert job.find("fake_engine.py", "engine-1.sock").pid == second


def test_when_nobody_starts_it_the_session_ends_as_failed(start_job: Start, trouble: Path) -> None:
    job = start(start_job, trouble, last_chance_s=1.5)
    fail_for_good(job, trouble)
    record = job.wait_for_end()
    assert (record.status, record.reason.code) == ("failed", "unknown_architecture")
    assert record.gives_up_at is None
    assert not [warning for warning in record.warnings if "No model is left" in warning]


def test_a_session_that_waits_can_be_stopped(start_job: Start, trouble: Path) -> None:
    job = start(start_job, trouble)
    fail_for_good(job, trouble)
    job.wait_for(lambda r: r.gives_up_at)
    job.process.terminate()
    record = job.wait_for_end()
    assert (record.status, record.reason.code, record.gives_up_at) == ("ended", "stopped", None)


def test_a_first_start_that_failed_is_not_waited_for(start_job: Start, trouble: Path) -> None:
    trouble.write_text(KNOWN_CAUSE)
    job = start_job(environment={"FAKE_ENGINE_FAIL_FILE": str(trouble)})
    assert job.wait_for_end().status == "failed"
