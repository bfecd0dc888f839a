"""Two models, three replicas of each and two adapters, all real vLLM, under mixed load for half an hour.

A replica is killed every six minutes. MANY_MODELS_MIN makes it shorter; the same with stand-in engines, for a
quarter of a minute, is tests/gateway/test_many_models.py.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curc_llm.spec import DEMO_MODEL_DIR
from tests.e2e.conftest import Person, Running, open_session
from tests.soak.mixed_load import Load
from tests.tiny_adapter import write_adapter

pytestmark = pytest.mark.engine
MINUTES = float(os.environ.get("MANY_MODELS_MIN", "30"))
KILL_EVERY_S = min(360.0, MINUTES * 12)
CLIENTS = 12
REPLICAS = 3
START_S = 900


@pytest.fixture
def served() -> Iterator[Running]:
    """The session, with all of its engines ready."""
    with tempfile.TemporaryDirectory(prefix="many-") as name:
        folder = Path(name)
        other = shutil.copytree(DEMO_MODEL_DIR, folder / "other-guide")
        adapters = [
            f"{who}={write_adapter(folder / who, seed=n)}" for n, who in enumerate(("poet", "critic"))
        ]
        flags = ("--replicas", str(REPLICAS), "--max-num-seqs", "4", "--max-model-len", "4096")
        flags += tuple(word for adapter in adapters for word in ("--adapter", adapter))
        home = folder / "home"
        home.mkdir()
        with open_session(Person(home), *flags, verb=("serve", "demo", str(other))) as running:
            yield running


def phases(running: Running) -> list[str]:
    return [engine["phase"] for engine in running.record()["engines"]]


async def wait_until_all_ready(running: Running) -> None:
    """Waits for engines that start again."""
    async with asyncio.timeout(START_S):
        while set(phases(running)) != {"ready"}:
            assert "failed" not in phases(running), running.record()["warnings"]
            await asyncio.sleep(1)


def kill_one(running: Running, number: int) -> str:
    """Kills one of an engine's processes as the system does; its name."""
    server = running.find_process("engine/launcher.py", f"engine-{number}.sock")
    victims = (
        [p for p in server.children() if "VLLM::EngineCore" in p.name()] if random.random() < 0.5 else []
    )
    victim = (victims or [server])[0]
    told = f"engine {number}, {victim.name()}"
    victim.kill()
    return told


async def test_half_an_hour_of_load_and_kills_loses_nothing_that_had_not_begun(served: Running) -> None:
    assert phases(served) == ["ready"] * 2 * REPLICAS
    load, began = Load(served.facts["base_url"], served.key), time.monotonic()
    until = began + MINUTES * 60
    await load.learn()
    # Each in its turn: one that is killed three times within ten healthy minutes is given up.
    victims = itertools.cycle(random.sample(range(2 * REPLICAS), 2 * REPLICAS))
    clients = [asyncio.create_task(load.ask_until(until)) for _ in range(CLIENTS)]
    while time.monotonic() + KILL_EVERY_S < until:
        await asyncio.sleep(KILL_EVERY_S)
        killed = await asyncio.to_thread(kill_one, served, next(victims))
        print(f"{time.monotonic() - began:.0f} s: killed {killed}; {load.tally}", flush=True)
        await wait_until_all_ready(served)
    await asyncio.gather(*clients)
    print(load.tally, flush=True)
    assert load.tally.wrong == []
    # Not all replicas of a model are gone at once: who had had no byte was answered by another.
    assert load.tally.refused == {}
    assert load.tally.answered > 0
    assert load.tally.broken < load.tally.answered / 10
    await wait_until_all_ready(served)
    assert sum(engine["restarts"] for engine in served.record()["engines"]) >= 1
