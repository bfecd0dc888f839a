"""One client as a process of its own: asks the rows, prints how long it took and what CPU it used.

Called by batch.py: python batch_clients.py CLIENT BASE_URL MODEL KEY_FILE ROWS_FILE CONCURRENCY TOKENS
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Ask = Callable[[str], Awaitable[str]]


async def ask_all(prompts: list[str], concurrency: int, ask: Ask) -> int:
    """As people write it: one task for each row, and a semaphore."""
    room = asyncio.Semaphore(concurrency)

    async def one(prompt: str) -> str:
        async with room:
            return await ask(prompt)

    return sum(1 for text in await asyncio.gather(*map(one, prompts)) if text)


async def run_openai(base_url: str, key: str, make_body: Any, prompts: list[str], concurrency: int) -> int:
    import openai

    async with openai.AsyncOpenAI(base_url=base_url + "/v1", api_key=key, max_retries=0) as client:

        async def ask(prompt: str) -> str:
            body = make_body(prompt)
            extra = {"ignore_eos": body.pop("ignore_eos")}
            answer = await client.chat.completions.create(**body, extra_body=extra)
            return answer.choices[0].message.content

        return await ask_all(prompts, concurrency, ask)


async def run_httpx(base_url: str, key: str, make_body: Any, prompts: list[str], concurrency: int) -> int:
    import httpx

    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(limits=limits, headers=headers, timeout=3600, trust_env=False) as client:

        async def ask(prompt: str) -> str:
            answer = await client.post(base_url + "/v1/chat/completions", json=make_body(prompt))
            answer.raise_for_status()
            return answer.json()["choices"][0]["message"]["content"]

        return await ask_all(prompts, concurrency, ask)


async def run_wire(base_url: str, key: str, make_body: Any, prompts: list[str], concurrency: int) -> int:
    """Our own small client alone, used as the others are."""
    from curc_llm.batch.pool import Pool
    from curc_llm.client.secret import Secret

    pool = Pool(base_url + "/v1", Secret(key), 3600)

    async def ask(prompt: str) -> str:
        reply = await pool.post("/v1/chat/completions", json.dumps(make_body(prompt)).encode())
        return json.loads(reply.body)["choices"][0]["message"]["content"]

    return await ask_all(prompts, concurrency, ask)


async def run_loop(base_url: str, key: str, make_body: Any, prompts: list[str], _: int) -> int:
    """A plain loop: the next row once the last is answered."""
    return await run_openai(base_url, key, make_body, prompts, 1)


RUNS = {"openai": run_openai, "httpx": run_httpx, "wire": run_wire, "loop": run_loop}


def main() -> None:
    client, base_url, model, key_file, rows_file, concurrency, tokens = sys.argv[1:]
    prompts = [json.loads(line)["prompt"] for line in Path(rows_file).read_text().splitlines()]

    def make_body(prompt: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": prompt}]
        asked = {"temperature": 0, "max_tokens": int(tokens), "ignore_eos": True}
        return {"model": model, "messages": messages, **asked}

    key = Path(key_file).read_text().strip()
    began_s, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    done = asyncio.run(RUNS[client](base_url, key, make_body, prompts, int(concurrency)))
    elapsed_s, after = time.monotonic() - began_s, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(json.dumps({"done": done, "elapsed_s": elapsed_s, "cpu_s": cpu_s, "pid": os.getpid()}))


if __name__ == "__main__":
    main()
