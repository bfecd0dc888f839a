"""Several engines of one model in a job: one name to everybody, and one that dies costs nobody an answer."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable

import pytest

from tests.job.conftest import Job, wait_until

pytestmark = pytest.mark.slow


def all_ready(job: Job, count: int) -> bool:
    return [engine.phase for engine in job.record.engines] == ["ready"] * count


def test_a_killed_replica_costs_no_answer_and_comes_back(start_job: Callable[..., Job]) -> None:
    job = start_job(replicas=3, idle_stop_min=0, environment={"FAKE_ENGINE_OPTIONS": "--first-token-s 0.05"})
    wait_until(lambda: all_ready(job, 3), what="three replicas")
    assert [engine.served_model_name for engine in job.record.engines] == ["one"] * 3
    assert [engine.served_model_name for engine in job.record.models] == ["one"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(job.chat, max_tokens=20) for _ in range(80)]
        wait_until(lambda: sum(one.done() for one in asked) > 8)
        job.find("fake_engine.py", "engine-1.sock").kill()
        answers = [one.result() for one in asked]
    # A whole answer that isn't streamed begins with its last token: none had begun.
    assert [status for status, _ in answers] == [200] * 80
    assert {len(answer["choices"][0]["message"]["content"].split()) for _, answer in answers} == {20}
    wait_until(lambda: all_ready(job, 3) and job.record.engines[1].restarts == 1, what="its return")
    assert [model["id"] for model in job.ask("/v1/models")[1]["data"]] == ["one"]
    used = [json.loads(line)["replica"] for line in job.paths.access_log.read_text().splitlines()]
    assert set(used) == {"one", "one@2", "one@3"}
    assert job.paths.log("engine-one@2").exists()
    figures = job.ask("/status")[1]["gateway"]["replicas"]
    assert [(replica["id"], replica["is_healthy"]) for replica in figures] == [
        ("one", True),
        ("one@2", True),
        ("one@3", True),
    ]
