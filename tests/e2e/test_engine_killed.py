"""kill -9 of the real engine while eleven streams run: told at once, mended without a hand."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import Running, wait_until
from tests.e2e.questions import FIRST

pytestmark = pytest.mark.engine
ASKED = {"model": "curc-guide", "prompt": "curc-llm", "max_tokens": 7000}


async def stream_until_cut(running: Running, begun: asyncio.Event) -> tuple[dict[str, Any], float]:
    """Streams a long answer; returns the error that ended it, and when (monotonic seconds).

    The bytes are read as they are: a client that makes objects of them may lag seconds behind under load.
    """
    options = {**ASKED, "stream": True, "ignore_eos": True}
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {running.key}"}, timeout=120) as client,
        client.stream("POST", f"{running.facts['base_url']}/completions", json=options) as response,
    ):
        last = b""
        async for data in response.aiter_raw():
            begun.set()
            last = (last + data)[-4096:]
    ended_s = time.monotonic()
    event = last.strip().rpartition(b"data: ")[2]
    return json.loads(event)["error"], ended_s


async def stream_with_openai(client: openai.AsyncOpenAI, begun: asyncio.Event) -> openai.APIError | None:
    """The same with the library that people use."""
    try:
        async for _ in await client.completions.create(**ASKED, stream=True, extra_body={"ignore_eos": True}):
            begun.set()
    except openai.APIError as error:
        return error
    return None


@pytest.mark.parametrize("victim", ["engine/launcher.py", "VLLM::EngineCore"])
async def test_callers_are_told_at_once_and_the_service_comes_back(running: Running, victim: str) -> None:
    restarts = running.record()["engines"][0]["restarts"]
    process = running.find_process(victim)
    async with openai.AsyncOpenAI(
        base_url=running.facts["base_url"], api_key=running.key, max_retries=0
    ) as client:
        begun = [asyncio.Event() for _ in range(11)]
        streams = [asyncio.create_task(stream_until_cut(running, event)) for event in begun[1:]]
        by_library = asyncio.create_task(stream_with_openai(client, begun[0]))
        await asyncio.gather(*(event.wait() for event in begun))
        killed_s = time.monotonic()
        process.kill()
        results = await asyncio.gather(*streams)
        assert max(at_s for _, at_s in results) - killed_s < 5
        assert {error["type"] for error, _ in results} == {results[0][0]["type"]}
        assert all("It is restarted; send the request again" in error["message"] for error, _ in results)
        assert "It is restarted; send the request again" in str(await by_library)
        with pytest.raises(openai.APIStatusError) as meanwhile:
            await client.models.retrieve("curc-guide") and await client.completions.create(
                model="curc-guide", prompt="x", max_tokens=1
            )
        assert meanwhile.value.status_code >= 500
        engine = wait_until(lambda: restarted(running, restarts), 240, "the engine's return")
        assert engine["trouble"]["message"]
        messages = [{"role": "user", "content": FIRST["question"]}]
        answer = await client.chat.completions.create(model="curc-guide", messages=messages, max_tokens=600)
    assert answer.choices[0].message.content.strip() == FIRST["answer"].strip()
    assert not process.is_running()


def restarted(running: Running, restarts: int):
    engine = running.record()["engines"][0]
    return engine if engine["restarts"] > restarts and engine["phase"] == "ready" else None
