"""Two real vLLM of one model: chats stay where they began, and a killed one costs nobody an answer."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.conftest import Person, Running, open_session, wait_until
from tests.e2e.questions import QUESTIONS

pytestmark = pytest.mark.engine
START_S = 240  # the second of two that load at once, on a machine that runs other tests


def read_status(running: Running) -> dict[str, Any]:
    request = urllib.request.Request(f"{running.root}/status", headers={"X-Api-Key": running.key})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


def are_both_ready(running: Running) -> bool:
    """A session is ready with its first engine; the second may still load."""
    return [engine["phase"] for engine in running.record()["engines"]] == ["ready", "ready"]


def do_both_work(running: Running) -> bool:
    return all(replica["running"] for replica in read_status(running)["gateway"]["replicas"])


async def ask(client: openai.AsyncOpenAI, number: int) -> bool:
    """Asks one of ten questions, every second time as batch; whether the answer is the known one."""
    one = QUESTIONS[number % 10]
    answer = await client.chat.completions.create(
        model="curc-guide",
        messages=[{"role": "user", "content": one["question"]}],
        max_tokens=600,
        temperature=0,
        extra_headers={"X-Curc-Llm-Priority": "batch"} if number % 2 else {},
    )
    return str(answer.choices[0].message.content).strip() == one["answer"].strip()


async def test_two_replicas_answer_as_one_model(person: Person) -> None:
    flags = ("--replicas", "2", "--max-num-seqs", "4")
    with open_session(person, *flags, verb=("serve", "demo")) as running:
        assert running.facts["model"] == "curc-guide"
        wait_until(lambda: are_both_ready(running), START_S, "the second replica")
        async with openai.AsyncOpenAI(
            base_url=running.facts["base_url"], api_key=running.key, max_retries=0
        ) as client:
            assert [model.id async for model in client.models.list()] == ["curc-guide"]
            asked = [asyncio.create_task(ask(client, number)) for number in range(40)]
            await asyncio.to_thread(wait_until, lambda: do_both_work(running), 60, "work at both replicas")
            running.find_process("engine/launcher.py", "engine-1.sock").kill()
            assert await asyncio.gather(*asked) == [True] * 40
        assert {r["id"] for r in read_status(running)["gateway"]["replicas"]} == {
            "curc-guide",
            "curc-guide@2",
        }
        # Other sessions of the same person have logs, too.
        log = next(Path(running.facts["record_file"]).parent.rglob("access.jsonl"))

        def count(priority: str) -> int:
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            return sum(line["priority"] == priority and line["status"] == 200 for line in lines)

        wait_until(lambda: (count("batch"), count("interactive")) == (20, 20), what="the access log")
