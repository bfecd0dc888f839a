from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from curc_llm.chat.head_start import give_head_start

LONG_S = 30.0


async def give(*steps: str) -> AsyncGenerator[str]:
    for step in steps:
        yield step


async def give_late(release: asyncio.Event, ended: asyncio.Event) -> AsyncGenerator[str]:
    try:
        await release.wait()
        yield "late"
    finally:
        ended.set()


async def test_what_comes_at_once_has_nothing_before_it() -> None:
    assert [step async for step in give_head_start(give("one", "two"), LONG_S)] == ["one", "two"]


async def test_steps_that_are_none_give_none() -> None:
    assert [step async for step in give_head_start(give(), LONG_S)] == []


async def test_what_takes_longer_is_told_first_and_then_comes() -> None:
    release = asyncio.Event()
    seen = []
    async for step in give_head_start(give_late(release, asyncio.Event()), 0.01):
        seen.append(step)
        release.set()
    assert seen == [None, "late"]


async def test_a_mistake_of_the_steps_is_passed_on() -> None:
    async def fail() -> AsyncGenerator[str]:
        raise ValueError("no")
        yield ""

    with pytest.raises(ValueError, match="no"):
        assert [step async for step in give_head_start(fail(), LONG_S)]


async def test_who_leaves_before_the_first_step_ends_what_makes_it() -> None:
    ended = asyncio.Event()
    shown = give_head_start(give_late(asyncio.Event(), ended), 0.01)
    async with contextlib.aclosing(shown):
        assert await anext(shown) is None
    assert ended.is_set()
