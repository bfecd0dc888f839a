"""Two models, three replicas of each and two adapters behind one gateway under mixed load; some are killed.

The engines are processes of their own that die of SIGKILL; what a job's supervisor does then (the phase, a
new start) is done here, so that it takes seconds. The same with real vLLM, for half an hour: tests/soak.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curc_llm.gateway.channel import EngineTarget
from tests.gateway.conftest import RunningGateway, open_connection, read_reply, render_request, wait_for

ENGINE = Path(__file__).parents[1] / "fakes" / "fake_engine.py"
MODELS: dict[str, dict[str, str]] = {"chat": {"poet": "/a/poet", "critic": "/a/critic"}, "code": {}}
REPLICAS = 3
CLIENTS = 12
# What a request may come to when its replica dies: it had begun, and is told so.
TOLD = {"engine_failed", "engine_restarting"}


@dataclass
class Tally:
    """What came of all requests.

    Args:
        answered: whole and right answers.
        broken: streams that had begun when their replica died, each ended with an error that says so.
        refused: by the error's code.
        wrong: what should never be.
    """

    answered: int = 0
    broken: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ended = f"{self.answered} answered, {self.broken} broken off, {len(self.wrong)} wrong"
        return f"{ended}, refused {dict(self.refused)}"


@dataclass
class Fleet:
    """The engines as a supervisor keeps them."""

    gateway: RunningGateway
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        """Starts an engine and tells of it once it answers."""
        model = name.partition("@")[0]
        path = Path(self.gateway.socket_of(name))
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - a local file
        command = [sys.executable, str(ENGINE), "--socket", str(path), "--model", model]
        command += ["--token-s", "0.01", "--silent-s", "0.05", "--adapters", json.dumps(MODELS[model])]
        self.processes[name] = await asyncio.create_subprocess_exec(*command)
        await wait_for(path.exists)
        self.phases[name] = "ready"
        await self.tell()

    async def tell(self) -> None:
        """Tells the gateway how the engines are."""
        targets = []
        for name, phase in self.phases.items():
            model = name.partition("@")[0]
            adapters = tuple(MODELS[model])
            socket = self.gateway.socket_of(name)
            targets.append(EngineTarget(model, socket, phase, name, adapters=adapters, max_num_seqs=4))
        await self.gateway.tell(engines=tuple(targets))

    async def kill_one(self) -> None:
        """Kills an engine while it works; it is told of and started again after a second, as by a job."""
        name = random.choice(list(self.phases))
        self.processes[name].kill()
        await self.processes[name].wait()
        await asyncio.sleep(0.3)  # so long the gateway knows nothing of it: the watch of a job isn't quicker
        self.phases[name] = "restarting"
        await self.tell()
        await self.start(name)

    async def end(self) -> None:
        """Ends them all."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def run_fleet(gateway: RunningGateway) -> AsyncIterator[Fleet]:
    """All engines of all models."""
    fleet = Fleet(gateway)
    try:
        for model in MODELS:
            for number in range(1, REPLICAS + 1):
                await fleet.start(model if number == 1 else f"{model}@{number}")
        yield fleet
    finally:
        await fleet.end()


async def run_load(gateway: RunningGateway, seconds: float, kill_every_s: float) -> Tally:
    """Asks all the time while replicas are killed."""
    tally, loop = Tally(), asyncio.get_running_loop()
    async with run_fleet(gateway) as fleet:
        until = loop.time() + seconds
        clients = [asyncio.create_task(_ask_on(gateway, until, tally)) for _ in range(CLIENTS)]
        while loop.time() + kill_every_s < until:
            await asyncio.sleep(kill_every_s)
            await fleet.kill_one()
        await asyncio.gather(*clients)
    return tally


async def _ask_on(gateway: RunningGateway, until: float, tally: Tally) -> None:
    while asyncio.get_running_loop().time() < until:
        await _ask_once(gateway, tally)


async def _ask_once(gateway: RunningGateway, tally: Tally) -> None:
    model = random.choice(["chat", "poet", "critic", "code"])
    stream, count = random.random() < 0.7, random.randint(1, 30)
    body = {"model": model, "stream": stream, "max_tokens": count}
    body["messages"] = [{"role": "user", "content": f"Question {random.random()}"}]
    headers = gateway.auth | ({"X-Curc-Llm-Priority": "batch"} if random.random() < 0.4 else {})
    reader, writer = await open_connection(gateway.port)
    try:
        writer.write(render_request("POST", "/v1/chat/completions", body, headers))
        reply = await read_reply(reader)
    finally:
        writer.close()
    if reply.status != 200:
        tally.refused[reply.code] += 1
        return
    expected = " ".join(f"word{i}" for i in range(count))
    documents = [json.loads(e) for e in reply.events if e.startswith("{")] if stream else [reply.json]
    if error := documents[-1].get("error"):
        if error["code"] not in TOLD or not _said(documents[:-1]):
            tally.wrong.append(f"{error}")
        tally.broken += 1
    elif _said(documents) != expected or {d["model"] for d in documents} != {model}:
        tally.wrong.append(f"{model}, {count} tokens: {_said(documents)[:200]}")
    else:
        tally.answered += 1


def _said(documents: list[dict[str, Any]]) -> str:
    choices = [document["choices"][0] for document in documents if document.get("choices")]
    return "".join((c.get("delta") or c.get("message"))["content"] for c in choices)


def check(tally: Tally, seconds: float) -> None:
    """Fails with what went wrong."""
    assert tally.wrong == []
    # All replicas of a model are never gone at once: who hadn't had a byte was answered by another.
    assert tally.refused == {}
    assert tally.answered > seconds * CLIENTS / 2
    assert tally.broken < tally.answered / 10
