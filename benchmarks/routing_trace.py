"""Many chats at once, as people have them: each turn sends all that was said before; some begin alike."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass

# Three applications with a system prompt of some length, as shared assistants have one.
APPLICATIONS = 3
SYSTEM_CHARACTERS = 3200
QUESTION_CHARACTERS = (80, 1600)
ANSWER_TOKENS = (20, 120)


@dataclass(frozen=True)
class Trace:
    """A load.

    Args:
        chats: conversations.
        turns: questions of each.
        at_once: conversations that wait for an answer at the same time.
        seed: the same seed gives the same texts in the same order.
    """

    chats: int = 120
    turns: int = 6
    at_once: int = 24
    seed: int = 7


def make_text(source: random.Random, size: int) -> str:
    """Words that no other text has."""
    return " ".join(f"{source.getrandbits(32):08x}" for _ in range(size // 9))


async def play(trace: Trace, port: int, key: str, model: str) -> int:
    """Plays all chats against a server; returns how many answers failed."""
    source = random.Random(trace.seed)
    systems = [make_text(source, SYSTEM_CHARACTERS) for _ in range(APPLICATIONS)]
    seeds = [source.getrandbits(32) for _ in range(trace.chats)]
    gate, failed = asyncio.Semaphore(trace.at_once), 0
    # All chats are open together, as of people who read before they go on.
    waiting = [[{"role": "system", "content": systems[i % APPLICATIONS]}] for i in range(trace.chats)]
    sources = [random.Random(seed) for seed in seeds]

    async def take_turn(i: int) -> bool:
        question = make_text(sources[i], sources[i].randint(*QUESTION_CHARACTERS))
        waiting[i].append({"role": "user", "content": question})
        async with gate:
            body = {"model": model, "messages": waiting[i], "max_tokens": sources[i].randint(*ANSWER_TOKENS)}
            answer = await ask(port, key, body)
        waiting[i].append({"role": "assistant", "content": answer or ""})
        return bool(answer)

    for _ in range(trace.turns):
        order = list(range(trace.chats))
        source.shuffle(order)
        failed += (await asyncio.gather(*map(take_turn, order))).count(False)
    return failed


async def ask(port: int, key: str, body: dict[str, object]) -> str:
    """One answer; empty when it failed."""
    data = json.dumps(body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n"
        "content-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        writer.write(head.encode() + data)
        answered = await reader.read()
    finally:
        writer.close()
    top, _, rest = answered.partition(b"\r\n\r\n")
    if b" 200 " not in top.split(b"\r\n")[0] + b" ":
        return ""
    text = rest[rest.index(b"{") : rest.rindex(b"}") + 1]
    return str(json.loads(text)["choices"][0]["message"]["content"])
