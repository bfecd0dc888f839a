"""kill -9 of the real engine while ten streams run: told at once, mended without a hand."""

from __future__ import annotations

import asyncio
import time

import openai
import pytest

from tests.e2e.conftest import Running, wait_until
from tests.e2e.questions import FIRST

pytestmark = pytest.mark.engine


async def stream_until_cut(
    client: openai.AsyncOpenAI, begun: asyncio.Event
) -> tuple[openai.APIError | None, float]:
    """Streams a long answer; returns the error that cut it off, and when (monotonic seconds)."""
    options = {"model": "curc-guide", "prompt": "curc-llm", "max_tokens": 7000, "stream": True}
    try:
        async for _ in await client.completions.create(**options, extra_body={"ignore_eos": True}):
            begun.set()
    except openai.APIError as error:
        return error, time.monotonic()
    return None, time.monotonic()


@pytest.mark.parametrize("victim", ["engine/launcher.py", "VLLM::EngineCore"])
async def test_callers_are_told_at_once_and_the_service_comes_back(running: Running, victim: str) -> None:
    restarts = running.record()["engines"][0]["restarts"]
    process = running.find_process(victim)
    async with openai.AsyncOpenAI(
        base_url=running.facts["base_url"], api_key=running.key, max_retries=0
    ) as client:
        begun = [asyncio.Event() for _ in range(10)]
        streams = [asyncio.create_task(stream_until_cut(client, event)) for event in begun]
        await asyncio.gather(*(event.wait() for event in begun))
        killed_s = time.monotonic()
        process.kill()
        results = await asyncio.gather(*streams)
        assert all(isinstance(error, openai.APIError) for error, _ in results)
        assert max(at_s for _, at_s in results) - killed_s < 5
        assert {error.body["type"] for error, _ in results} == {results[0][0].body["type"]}
        assert all("It is restarted; send the request again" in str(error) for error, _ in results)
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
