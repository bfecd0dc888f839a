"""A session under load for an hour (SOAK_MIN), parts killed now and then: it comes back and stays small."""

from __future__ import annotations

import concurrent.futures
import os
import random
import time
import urllib.error
from collections.abc import Callable

from tests.job.conftest import Job, start_job

__all__ = ["start_job"]
MINUTES = float(os.environ.get("SOAK_MIN", "60"))
VICTIMS = ("fake_engine.py", "curc_llm.chat")
MAX_GROWTH_MIB = 16


def measure(job: Job) -> dict[str, tuple[float, int]]:
    """Memory in MiB and open descriptors of the parts that must not grow."""
    parts = {"supervisor": "curc_llm.job.run", "gateway": "curc-llm gateway"}
    found = {name: job.find(words) for name, words in parts.items()}
    return {name: (p.memory_info().rss / 2**20, p.num_fds()) for name, p in found.items()}


def ask_often(job: Job, until_s: float) -> dict[int, int]:
    """Asks one question after another; how often each status came (0: no connection)."""
    statuses: dict[int, int] = {}
    while time.monotonic() < until_s:
        try:
            status = job.chat(max_tokens=20)[0]
        except (urllib.error.URLError, OSError):
            status = 0
        statuses[status] = statuses.get(status, 0) + 1
    return statuses


def test_an_hour_of_load_and_faults_leaves_the_session_as_it_was(start_job: Callable[..., Job]) -> None:
    job = start_job(idle_stop_min=0, environment={"FAKE_ENGINE_OPTIONS": "--token-s 0.005"})
    job.wait_until_ready()
    until_s = time.monotonic() + MINUTES * 60
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask_often, job, until_s) for _ in range(8)]
        job.wait_for(lambda r: r.status == "ready")
        before = measure(job)
        while time.monotonic() < until_s - 60:
            # Beyond ten healthy minutes, so that no restart is ever the last.
            time.sleep(max(0, min(random.uniform(1.0, 1.2) * 620, until_s - 30 - time.monotonic())))
            victim = random.choice(VICTIMS)
            job.find(victim).kill()
            job.wait_for(lambda r: r.status == "ready" and r.engines[0].phase == "ready", timeout_s=60)
        statuses = [future.result() for future in asking]
    answered = sum(s.get(200, 0) for s in statuses)
    assert answered > 100 * MINUTES
    assert set().union(*statuses) <= {0, 200, 502, 503}
    after = measure(job)
    for part, (mib, descriptors) in after.items():
        assert mib - before[part][0] < MAX_GROWTH_MIB, (
            f"{part} grew from {before[part][0]:.0f} to {mib:.0f} MiB"
        )
        assert descriptors - before[part][1] < 20, f"{part} has {descriptors} descriptors open"
