"""A chat and an embedding model as one job of a real Slurm: launched, asked, listed.

Only the embedding model has real vLLM here: each one that starts takes two cores for half a minute. Both at
once are in the tests' shared session (tests/real_session.py); the chat model's in a job of Slurm, in the
portal's (tests/e2e/test_portal.py).
"""

from __future__ import annotations

import json
import sys

import pytest

from tests.testbed.bed import Bed
from tests.testbed.login import Login

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.engine]
BOTH = ["curc-guide", "demo-embed"]
USE = """
import curc_llm, json, sys
session = curc_llm.connect(sys.argv[1], wait=True)
said = str(session.chat("What is a session?", max_tokens=8))
vectors = session.embed(["granite", "basalt"])
print(json.dumps([len(said) > 0, len(vectors), len(vectors[0]) > 1]))
"""


def test_one_job_chats_and_embeds_and_status_names_both(free_bed: Bed) -> None:
    login = Login(free_bed)
    login.clear()
    login.use_fake_engine(model="curc-guide")
    launched = login.ask_json("launch", "demo", "--embed", "demo-embed", "--hours", "1", timeout_s=60)
    name = launched["session_id"]

    def ready() -> bool:
        record = login.record(name)
        return record is not None and all(engine.phase == "ready" for engine in record.engines)

    try:
        login.wait_until(ready, 120, "a session with both models")
        used = login.run(sys.executable, "-c", USE, name).stdout
        assert json.loads(used.splitlines()[-1]) == [True, 2, True]
        status = login.status(name)
        assert [engine["served_model_name"] for engine in status["engines"]] == BOTH
        assert [engine["runner"] for engine in status["engines"]] == ["generate", "pooling"]
        assert all(word in login.curc_llm("status", name).stdout for word in BOTH)
        jobs = login.run("squeue", "--me", "--noheader", "--format=%i %b").stdout.split()
        assert jobs[0] == launched["job_id"]
        assert len(jobs) == 2  # one job, and its GPUs
        assert jobs[1].endswith(":1")
    finally:
        login.curc_llm("stop", name, check=False)
