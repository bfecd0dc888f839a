"""Engines that share a GPU start one after the other; all others at once."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from curc_llm.job.start_turn import make_turns
from curc_llm.session.store import process_started
from curc_llm.settings import load_settings
from curc_llm.spec import EngineSpec, LaunchSpec, make_launch_spec
from tests.job.conftest import Job


def make_spec(tmp_path: Path, device: Literal["cuda", "cpu"], *device_ids: tuple[int, ...]) -> LaunchSpec:
    settings = load_settings(environ={"HOME": str(tmp_path)})
    spec = make_launch_spec(settings, ("demo",), device=device, engine_python="python")
    engines = tuple(
        EngineSpec(served_model_name=f"m{place}", model="/m", is_local=True, device_ids=ids)
        for place, ids in enumerate(device_ids)
    )
    return spec.model_copy(update={"engines": engines})


def start_order(spec: LaunchSpec) -> list[str]:
    """What happens when all engines want to start and each takes a moment."""
    seen: list[str] = []

    async def start(place: int) -> None:
        await turns[place].take()
        seen.append(f"{place} starts")
        await asyncio.sleep(0.01)
        seen.append(f"{place} is ready")
        turns[place].give()

    async def run() -> None:
        await asyncio.gather(*(start(place) for place in range(len(turns))))

    turns = make_turns(spec)
    asyncio.run(run())
    return seen


def test_on_one_gpu_the_second_waits_for_the_first(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, "cuda", (), (0,))
    assert start_order(spec) == ["0 starts", "0 is ready", "1 starts", "1 is ready"]


def test_with_a_gpu_each_or_none_they_start_at_once(tmp_path: Path) -> None:
    for spec in (make_spec(tmp_path, "cuda", (0,), (1,)), make_spec(tmp_path, "cpu", (), (0,))):
        assert start_order(spec)[:2] == ["0 starts", "1 starts"]


def test_three_engines_wait_only_for_those_they_share_with(tmp_path: Path) -> None:
    seen = start_order(make_spec(tmp_path, "cuda", (0, 1), (1,), (2,)))
    assert seen[:2] == ["0 starts", "2 starts"]
    assert seen.index("1 starts") > seen.index("0 is ready")


def test_a_turn_can_be_given_back_twice_and_tells_whether_it_is_free(tmp_path: Path) -> None:
    async def run() -> None:
        one, two = make_turns(make_spec(tmp_path, "cuda", (), ()))
        assert one.is_free
        await one.take()
        await one.take()
        assert (one.is_free, two.is_free) == (True, False)
        one.give()
        one.give()
        assert two.is_free

    asyncio.run(run())


def find_start(pid: int) -> float:
    """When a process started, as `time.time()` has it. psutil tells it from a boot time in whole seconds."""
    ticks = process_started(pid)
    assert ticks is not None
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - uptime_s + ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_a_job_starts_the_second_engine_of_a_gpu_when_the_first_is_ready(
    start_job: Callable[..., Job],
) -> None:
    job = start_job("one", "two", device="cuda")
    waiting = job.wait_for(lambda r: r.engines[1].detail)
    assert waiting.engines[1].detail == "waits until the model beside it has started"
    told = job.wait_for(lambda r: all(engine.ready_at for engine in r.engines))
    second = job.find("fake_engine.py", "--model two")
    assert told.engines[0].ready_at is not None
    assert find_start(second.pid) >= told.engines[0].ready_at - 0.1
    assert told.engines[1].detail == ""
