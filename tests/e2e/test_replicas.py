"""Two real vLLM of one model: chats stay where they began, and a killed one costs nobody an answer."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any

import openai
import pytest

from tests.e2e.conftest import Person, open_session, wait_until
from tests.e2e.questions import QUESTIONS

pytestmark = pytest.mark.engine


def read_status(running: Any) -> dict[str, Any]:
    request = urllib.request.Request(f"{running.root}/status", headers={"X-Api-Key": running.key})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


async def test_two_replicas_answer_as_one_model(person: Person) -> None:
    flags = ("--replicas", "2", "--max-num-seqs", "4")
    with open_session(person, *flags, verb=("serve", "demo")) as running:
        assert running.facts["model"] == "curc-guide"
        client = openai.AsyncOpenAI(base_url=running.facts["base_url"], api_key=running.key, max_retries=0)

        async def ask(number: int) -> bool:
            one = QUESTIONS[number % 10]
            messages = [{"role": "user", "content": one["question"]}]
            more = {"extra_headers": {"X-Curc-Llm-Priority": "batch"}} if number % 2 else {}
            answer = await client.chat.completions.create(
                model="curc-guide", messages=messages, max_tokens=600, temperature=0, **more
            )
            return answer.choices[0].message.content.strip() == one["answer"].strip()

        assert [model.id async for model in client.models.list()] == ["curc-guide"]
        asked = [asyncio.create_task(ask(number)) for number in range(40)]
        await wait_for_both(running)
        running.find_process("engine/launcher.py", "engine-1.sock").kill()
        assert await asyncio.gather(*asked) == [True] * 40
        assert {r["id"] for r in read_status(running)["gateway"]["replicas"]} == {
            "curc-guide",
            "curc-guide@2",
        }
        log = running.person.home / ".local/state/curc-llm"
        lines = [json.loads(x) for path in log.rglob("access.jsonl") for x in path.read_text().splitlines()]
        mine = [line for line in lines if line["model"] == "curc-guide" and line["priority"] == "batch"]
        assert len(mine) == 20
        await client.close()


async def wait_for_both(running: Any) -> None:
    """Until both replicas work at the same time."""

    def both() -> bool:
        return all(replica["running"] for replica in read_status(running)["gateway"]["replicas"])

    await asyncio.to_thread(wait_until, both, 60, "work at both replicas")
